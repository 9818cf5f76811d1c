// Reads small files.

import Glibc

/// A file that cannot be read, with the error code of the failed call.
struct UnreadableFile: Error {
    let code: Int32
    var reason: String { String(cString: strerror(code)) }
}

/// The content of a text file; fails with `EFBIG` beyond `most` bytes.
func readText(_ path: String, most: Int) throws(UnreadableFile) -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw UnreadableFile(code: errno) }
    defer { close(file) }
    var (buffer, count) = ([UInt8](repeating: 0, count: most + 1), 0)
    while count < buffer.count {
        let part = buffer.withUnsafeMutableBytes { read(file, $0.baseAddress.map { $0 + count }, $0.count - count) }
        guard part >= 0 else { throw UnreadableFile(code: errno) }
        if part == 0 { break }
        count += part
    }
    guard count <= most else { throw UnreadableFile(code: EFBIG) }
    guard let text = String(validating: buffer.prefix(count), as: UTF8.self) else { throw UnreadableFile(code: EILSEQ) }
    return text
}
