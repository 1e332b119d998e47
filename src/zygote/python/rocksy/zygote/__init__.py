"""The fork server of `runtime: python`. Nothing here is for jobs: theirs is the package around it."""
