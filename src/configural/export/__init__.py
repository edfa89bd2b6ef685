"""Every dataset format, written, read back and verified."""

from configural.export import formats as formats
from configural.export.format import FORMATS as FORMATS
from configural.export.format import Format as Format
from configural.export.format import ShardedFormat as ShardedFormat
from configural.export.format import StoredImage as StoredImage
from configural.export.plan import Entry as Entry
from configural.export.plan import Plan as Plan
from configural.export.plan import Shard as Shard
from configural.export.plan import label_image as label_image
from configural.export.reading import Verification as Verification
from configural.export.reading import read as read
from configural.export.reading import verify as verify
from configural.export.writing import generate as generate
from configural.export.writing import write as write
from configural.io.manifest import Fault as Fault
