"""The embedded model server: a stand-in for TensorFlow Serving on laptops, in tests and in checks."""
