"""The window: Qt and pyqtgraph over the torch-free rooms of `core`."""
