"""What ESP-DL and its kernels get wrong, and the test that shows what we do about it."""
