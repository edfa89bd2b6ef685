"""How long the explorer's page takes from a drag to the new scores, in a Chromium without a window.

    configural explore --out explorer.html
    python benchmarks/explorer_times.py explorer.html

The page is moved by its own `dragTo`; the time ends in the frame after all models have answered for that state.
"""

import argparse
import shutil
import statistics
from pathlib import Path

from playwright.sync_api import sync_playwright

MOVES = """async (moves) => {
  const app = await explorer;
  app.select([app.state.parts[0].slot]);
  const take = app.take.bind(app);
  let answered = () => {};
  app.take = (model, reply, asked) => { take(model, reply, asked); answered(model, asked); };
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const times = [];
  app.beginDrag();
  for (let i = 1; i <= moves; i += 1) {
    await frame();
    const begun = performance.now();
    await new Promise((resolve) => {
      const waiting = new Set(app.models.keys());
      answered = (model, asked) => {
        if (asked.state === app.state) waiting.delete(model);
        if (!waiting.size) resolve();
      };
      app.dragTo((7 * i) % 23 - 11, (5 * i) % 19 - 9);
    });
    await frame();
    times.push(performance.now() - begun);
  }
  app.endDrag();
  return times;
}"""


def main() -> None:
    """Print the times of the drags, when the page was first painted, and how large it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--moves", type=int, default=200)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    arguments = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(arguments.page.resolve().as_uri())
        models = page.evaluate("async () => (await explorer).models.map((model) => model.image_size)")
        painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
        times = sorted(page.evaluate(MOVES, arguments.moves))
        browser.close()
    late = times[int(0.95 * len(times))]
    size = arguments.page.stat().st_size / 1e6
    print(f"models of {models} pixels, {size:.1f} MB, first paint after {painted:.0f} ms")
    print(f"{len(times)} drags: median {statistics.median(times):.0f} ms, 95th percentile {late:.0f} ms")


if __name__ == "__main__":
    main()
