"""Signal processing: pure numerics on arrays with units."""
