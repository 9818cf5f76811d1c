// Paths as people can use them from elsewhere.

import Glibc

/// A path from the root on, as short as the system knows it where it exists.
func absolutePath(of path: String) -> String {
    if let found = realpath(path, nil) {
        defer { free(found) }
        return String(cString: found)
    }
    guard !path.hasPrefix("/"), let here = getcwd(nil, 0) else { return path }
    defer { free(here) }
    return "\(String(cString: here))/\(path)"
}
