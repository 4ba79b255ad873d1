"""Monoglot's engine: everything but the window. Never imports Qt."""

import os

# Before any library reads them: none counts or reports what is loaded, and none asks the hub to convert weights.
os.environ.update(HF_HUB_DISABLE_TELEMETRY="1", HF_UPDATE_DOWNLOAD_COUNTS="0", DISABLE_SAFETENSORS_CONVERSION="1")
