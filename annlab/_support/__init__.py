"""What every room needs: errors, argument checks, threads, progress, memory."""
