// Lists in the tensor reader: nested numbers (token by token, or a run at a time) and lists of integers.

extension TensorReader {
    /// The number of values by which a growing destination grows.
    private static let stretch = 4096

    /// Requests the destination of the values that follow.
    mutating func prepareOutput(for member: Member?) {
        nesting = NestedShape()
        if member == .values {
            rows = TensorOutput(.growing)
        } else if !hasOutput {
            hasOutput = true
            output = TensorOutput(sink.destination(for: tensor.name, in: section), of: tensor.name)
        }
    }

    /// Reads the complete numbers of the chunk without making a token for each.
    mutating func takeRuns(_ lexer: inout JSONLexer) {
        guard case .numbers(let member) = stage else { return }
        while true {
            if lexer.standsBeforeNumber() {
                guard takeRun(of: member, &lexer) else { return }
            } else if nesting.level > 1, lexer.stepsToNextList() {
                nesting.close()
                nesting.open()
            } else {
                return
            }
        }
    }

    /// Reads numbers up to something other than a comma; false if the fast reader finds none.
    private mutating func takeRun(of member: Member?, _ lexer: inout JSONLexer) -> Bool {
        guard var run = FloatRun(from: lexer.position, to: lexer.end) else { return false }
        var count = 0
        var step = (count: 0, next: FloatRun.Outcome.value)
        repeat {
            fill(member) { room in
                guard let start = room.baseAddress else { return 0 }
                step = run.read(into: start, room: room.count)
                return step.count
            }
            count += step.count
        } while step.count > 0 && step.next == .value && run.hasMore
        guard count > 0 else { return false }
        if use != .refused, !hasFraction {
            hasFraction = NumberText.hasFraction(from: lexer.position, to: run.position)
        }
        nesting.add(numbers: count)
        lexer.resume(at: run.position, afterValue: step.next == .separator)
        return true
    }

    /// As many values as have been read already: a buffer must not grow far beyond the likely size of its tensor.
    private static func stretch(after count: Int) -> Int { min(stretch, max(32, count)) }

    private mutating func fill(_ member: Member?, _ write: (UnsafeMutableBufferPointer<Float>) -> Int) {
        if member == .values {
            rows.fill(Self.stretch(after: rows.count), sink: sink, write)
        } else {
            output.fill(Self.stretch(after: output.count), sink: sink, write)
        }
    }

    mutating func takeNumber(
        of member: Member?, _ token: JSONToken, _ lexer: JSONLexer, _ issues: inout IssueList
    ) -> Effect {
        switch token {
        case .beginArray: nesting.open()
        case .endArray: nesting.close()
        case .number:
            checkInteger(lexer.number, of: member, &issues)
            append(lexer.number, of: member, &issues)
            nesting.add(numbers: 1)
        default:
            reportElement(
                of: member, .notANumber, "expected numbers, not \(token.noun)\(token.origin)", got: token.noun,
                &issues)
            nesting.add(numbers: 1)
            guard token == .beginObject else { break }
            // The rest of the object and the lists around it are ignored.
            stage = .passing(depth: lexer.depth - 1 - nesting.level, next: member == nil ? .done : .object)
            return .none
        }
        guard nesting.level == 0 else { return .none }
        return endNumbers(of: member, &issues)
    }

    private mutating func checkInteger(_ number: NumberText, of member: Member?, _ issues: inout IssueList) {
        guard use != .refused else { return }
        let isWhole = number.isWhole
        hasFraction = hasFraction || !isWhole || number.step == .exponent
        guard checksIntegers else { return }
        let value = number.float
        guard value.isFinite else { return }
        let stray = rule.stray(value, isExact: number.equals(value), isWhole: isWhole, at: 0, number.text)
        if let stray { reportElement(stray, of: member, &issues) }
    }

    private mutating func append(_ number: NumberText, of member: Member?, _ issues: inout IssueList) {
        let value = number.float
        if !value.isFinite {
            reportElement(StrayNumber(value: number.text, index: 0, fault: .beyondFloat32), of: member, &issues)
        }
        fill(member) { room in
            room[0] = value
            return 1
        }
    }

    private mutating func endNumbers(of member: Member?, _ issues: inout IssueList) -> Effect {
        if nesting.isRagged {
            report(
                .ragged, at: member?.rawValue ?? "",
                "the lists differ in length or depth; send lists of equal lengths on each level", &issues)
        }
        if member == .values {
            tensor.rowsShape = nesting.dimensions
        } else {
            inferred = nesting.dimensions
        }
        return member == nil ? finish(&issues) : resumeObject()
    }

    private mutating func reportElement(_ stray: StrayNumber, of member: Member?, _ issues: inout IssueList) {
        reportElement(
            of: member, stray.kind, stray.detail(in: tensor.name, at: nesting.place), expected: stray.expected,
            got: stray.value, &issues)
    }

    /// Reports a mistake at the next element.
    private mutating func reportElement(
        of member: Member?, _ kind: TensorIssue.Kind, _ detail: String, expected: String? = nil, got: String? = nil,
        _ issues: inout IssueList
    ) {
        hasIssue = true
        let place = tensor.pointer + (member.map { "/" + $0.rawValue } ?? "") + nesting.pointer
        issues.add(TensorIssue(kind, at: place, detail, expected: expected, got: got))
    }
}

// MARK: Integers

extension TensorReader {
    mutating func takeInteger(
        of member: Member, _ token: JSONToken, _ lexer: JSONLexer, _ issues: inout IssueList
    ) -> Effect {
        if token == .endArray { return resumeObject() }
        guard token == .number, let value = lexer.number.integer else {
            let place = member == .shape ? stated?.count : indices?.count
            report(
                member.issueKind, at: "\(member.rawValue)/\(place ?? 0)",
                "`\(member.rawValue)` must be integers", got: token.noun, &issues)
            let opens = token == .beginArray || token == .beginObject
            stage = .passing(depth: lexer.depth - (opens ? 2 : 1), next: .object)
            return .none
        }
        return member == .shape ? takeDimension(value, lexer, &issues) : takeIndex(value, lexer, &issues)
    }

    private mutating func takeDimension(_ value: Int, _ lexer: JSONLexer, _ issues: inout IssueList) -> Effect {
        let count = stated?.count ?? 0
        guard value >= 0, count < JSONLimits.rank else {
            report(
                .shape, at: "shape/\(count)",
                value < 0 ? "a dimension must be 0 or more" : "a shape can have at most \(JSONLimits.rank) dimensions",
                got: "\(value)", &issues)
            stage = .passing(depth: lexer.depth - 1, next: .object)
            return .none
        }
        stated?.append(value)
        return .none
    }

    private mutating func takeIndex(_ value: Int, _ lexer: JSONLexer, _ issues: inout IssueList) -> Effect {
        let count = indices?.count ?? 0
        if count == indexAllowance {
            let more = max(64, count)
            guard sink.allowGrowth(bytes: more * MemoryLayout<Int>.stride) else {
                report(.budget, at: "indices", "not enough memory for the indices; push fewer rows", &issues)
                stage = .passing(depth: lexer.depth - 1, next: .object)
                return .none
            }
            indexAllowance += more
            indices?.reserveCapacity(indexAllowance)
        }
        indices?.append(value)
        return .none
    }
}

extension NestedShape {
    /// The place of the next member, as the end of a JSON pointer: `/0/3`.
    var pointer: String { place.map { "/\($0)" }.joined() }
}
