"""How fast this machine does what the library does, in about a minute."""

from configural.benchmark.machine import machine as machine
from configural.benchmark.machine import peak_bytes as peak_bytes
from configural.benchmark.measures import Benchmark as Benchmark
from configural.benchmark.measures import Measure as Measure
from configural.benchmark.measures import measure as measure
from configural.benchmark.timing import Rounds as Rounds
from configural.benchmark.timing import in_turn as in_turn
from configural.benchmark.timing import matrix_product as matrix_product
from configural.benchmark.timing import operations as operations
from configural.benchmark.timing import training_step as training_step
