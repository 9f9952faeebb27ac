package genmail

// recordedTree is the hash of the file lines of what
// "genmail.py ROOT 50 3 42 4096" wrote with Python 3.11 under umask 022.
const recordedTree = "bc6b868e2ba20bc171ee6d531390dcb53e3eaa8ba714018edd7db09f9fbfb82f"
