"""Settings that moto reads while it is imported; import this before anything of moto."""

import os
from pathlib import Path

# moto otherwise loads some hundred public AMIs into every account and region that is touched:
# 54 ms and 3 MB each, for images that no simulated fleet refers to.
os.environ["MOTO_AMIS_PATH"] = str(Path(__file__).with_name("no_amis.json"))
