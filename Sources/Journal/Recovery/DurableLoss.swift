// Records that a directory's mark says were durable but that are missing: the newest segment is gone, truncated or an
// older copy. Start and verify refuse such a directory; salvage gives the records up.

/// Acknowledged records that are missing from the segments.
struct DurableLoss {
    /// The smallest possible number of missing records.
    let records: UInt64
    let problem: JournalError

    /// Compares the mark with a journal whose newest segment is `last`, read to `end`; `nil` if nothing is missing.
    init?(of durable: DurableEnd, in last: SegmentReader?, end: SegmentEnd?) {
        records = durable.position - min(durable.position, last?.nextPosition ?? 1)
        guard let last, last.header.number >= durable.segment else {
            problem = DurableLoss.missing((last?.header.number ?? 0) + 1, records)
            return
        }
        guard records > 0 else { return nil }
        var cause = "the file was truncated, replaced by an older copy, or copied while paramd was writing to it"
        if let end, case .torn = end.tail { cause = end.reason }
        problem = .corrupted(
            file: last.window.name, offset: last.offset,
            reason: "\(DurableLoss.count(records)) from here on, at least; \(cause)")
    }

    private static func missing(_ segment: UInt64, _ records: UInt64) -> JournalError {
        let missing = Directory.missing(segment)
        guard records > 0, case .corrupted(let file, let offset, let reason) = missing else { return missing }
        return .corrupted(file: file, offset: offset, reason: "\(reason), and at least \(count(records))")
    }

    private static func count(_ records: UInt64) -> String {
        "\(records) acknowledged record\(records == 1 ? " is" : "s are") missing"
    }
}
