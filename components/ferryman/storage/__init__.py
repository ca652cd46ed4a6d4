"""Where bytes lie: one small port over URIs, files of installed packages and wheels, and the store of pinned inputs."""
