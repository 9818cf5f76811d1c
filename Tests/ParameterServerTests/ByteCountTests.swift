// Sizes as people write them.

import Testing

@testable import ParameterServer

@Suite("Byte counts")
struct ByteCountTests {
    @Test(
        "every usual spelling is read",
        arguments: [
            ("1", 1), ("512M", 536_870_912), ("2G", 2_147_483_648), ("2GB", 2_147_483_648), ("2GiB", 2_147_483_648),
            ("2gib", 2_147_483_648), ("3k", 3072), ("3KB", 3072), ("7B", 7), ("1T", 1_099_511_627_776),
        ])
    func read(text: String, bytes: Int) { #expect(ByteCount(argument: text)?.bytes == bytes) }

    @Test(
        "what is no size is refused",
        arguments: [
            "", "G", "0", "-1", "1X", "1.5G", "1 G", "2GBB", "2IB", "1i", "9223372036854775807K", "+1", "\u{0661}G",
        ])
    func refuse(text: String) { #expect(ByteCount(argument: text) == nil) }

    @Test(
        "people get three digits and a unit",
        arguments: [(1, "1"), (1536, "1.5K"), (1 << 30, "1G"), (26_843_545_600, "25G"), (13_325_000_000, "12.4G")])
    func rounded(bytes: Int, text: String) { #expect(ByteCount(bytes: bytes).rounded == text) }
}
