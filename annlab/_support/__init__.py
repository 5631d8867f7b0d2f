"""Errors, argument checks, threads, files, progress and memory."""
