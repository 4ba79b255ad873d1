"""Model to smaller model, one module an axis; each is exact in what it claims to keep."""
