// `api/errors.md` lists every problem. To write it again: PARAMD_WRITE_ERRORS=1 swift test --filter ErrorPageTests

import Foundation
import Optimizers
import Testing

@testable import ParameterAPI

/// The page of all errors.
@Suite struct ErrorPageTests {
    private static let file = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../api/errors.md").standardized

    /// The page in the repository equals the tables.
    @Test func isUpToDate() throws {
        let page = try Self.page()
        if ProcessInfo.processInfo.environment["PARAMD_WRITE_ERRORS"] != nil {
            try page.write(to: Self.file, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: Self.file, encoding: .utf8) == page)
    }

    /// Every example has the right kind, complete sentences, and advice.
    @Test(arguments: ProblemKind.allCases)
    func exampleSpeaks(_ kind: ProblemKind) throws {
        let problem = try ErrorExamples().problem(kind)
        #expect(problem.kind == kind)
        for sentence in [problem.what, problem.hint, kind.row.meaning, kind.row.remedy].compactMap({ $0 }) {
            #expect(sentence.hasSuffix(".") || sentence.hasSuffix("?"), "\(sentence)")
            #expect(sentence.first?.isLowercase == false, "\(sentence)")
        }
    }

    private static func page() throws -> String {
        let kinds = ProblemKind.allCases.sorted { ($0.status, $0.rawValue) < ($1.status, $1.rawValue) }
        let rows = kinds.map { "| \($0.status) | [`\($0.rawValue)`](#\($0.rawValue)) | \($0.title) |" }
        return """
            # Errors

            Every answer other than 2xx and 304 is a problem document (RFC 9457, `application/problem+json`):

            | member | meaning |
            |---|---|
            | `type` | `/problems/NAME`, one of the names below; the daemon serves a page for each |
            | `title`, `status` | the same for every problem of a type |
            | `detail` | what is wrong, what to do, and whether anything was applied |
            | `errors` | for invalid content: a JSON `pointer` to each place, its `detail`, and often what was `expected` and `got` |
            | `exception` | the exception that MindSpore raises for the same mistake |
            | `retry_after` | seconds to wait before the next attempt, as in the header Retry-After |
            | others | numbers for programs, such as `step` and `staleness`; the examples below show those of each problem |

            Unless the detail says otherwise, a request that ends with a problem changed nothing. Programs should decide by
            `type` and `status`; the texts can change.

            | status | type | title |
            |---|---|---|
            \(rows.joined(separator: "\n"))

            """ + (try kinds.map { try section($0) }.joined()) + "\n" + """
                <!-- Generated: PARAMD_WRITE_ERRORS=1 swift test --filter ErrorPageTests -->

                """
    }

    /// Kinds that only reads cause, or whose example is a read.
    private static let ofReads: Set<ProblemKind> = [
        .notAcceptable, .cursorUnknown, .gone, .rangeNotSatisfiable, .conflictingQuery, .invalidQuery, .notFound,
        .unknownModel, .tooManyWaiting,
    ]

    private static func section(_ kind: ProblemKind) throws -> String {
        """

        ## \(kind.rawValue)

        **\(kind.status) \(kind.title).** \(kind.row.meaning)

        What to do: \(kind.row.remedy)

        ```text
        \(try ErrorExamples().problem(kind).detail(isWrite: !Self.ofReads.contains(kind)))\(try figures(kind))
        ```

        """
    }

    /// The members that the document has for this kind alone, as a line below the text.
    private static func figures(_ kind: ProblemKind) throws -> String {
        let figures = try ErrorExamples().problem(kind).figures
        return figures.isEmpty ? "" : "\n" + (SettingValue.object(figures).line ?? "")
    }
}
