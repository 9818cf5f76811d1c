// Paths that work from any directory.

import Glibc

/// An absolute path, normalized if it exists.
func absolutePath(of path: String) -> String {
    if let found = realpath(path, nil) {
        defer { free(found) }
        return String(cString: found)
    }
    guard !path.hasPrefix("/"), let here = getcwd(nil, 0) else { return path }
    defer { free(here) }
    return "\(String(cString: here))/\(path.hasPrefix("./") ? path.dropFirst(2) : path[...])"
}
