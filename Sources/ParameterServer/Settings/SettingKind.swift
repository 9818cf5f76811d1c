// How the value of a setting is written, and where it is stored. Each kind parses texts from any source and prints the
// value in the same form.

import HTTPServing

/// A complaint about a value, such as "must be a time in s or ms"; its subject is the setting.
struct Complaint: Error {
    let text: String
    /// The exit status of a command line with this mistake.
    var status = ExitStatus.usage
}

extension Setting {
    /// How a setting is written, and where it is stored.
    struct Kind: Sendable {
        typealias Path<Value> = any WritableKeyPath<ServerConfiguration, Value> & Sendable

        /// How often a value may be written.
        enum Form {
            case one
            case list
            /// A flag without a value; `true` or `false` elsewhere.
            case yes
            /// Part of the contract, or required for safety: reported, but never set.
            case fixed
        }

        let form: Form
        /// Whether the value is reported as an absolute path, because the reader may be elsewhere.
        var isPath = false
        /// Whether a value may begin with `-`, to be refused as a number and not as a flag.
        var isNumber = false
        /// Stores the value that one or more texts stand for.
        let read: @Sendable ([String], inout ServerConfiguration) throws(Complaint) -> Void
        /// The value as a text that `read` accepts.
        let text: @Sendable (ServerConfiguration) -> String

        /// A single value.
        ///
        /// `takes` describes it in the complaint, with the default as the example.
        ///
        /// - `check`: what is wrong with a value that could be parsed.
        static func one<Value>(
            _ path: Path<Value>, isPath: Bool = false, isNumber: Bool = false, _ takes: String,
            parse: @escaping @Sendable (String) -> Value?, check: @escaping @Sendable (Value) -> String? = { _ in nil },
            text: @escaping @Sendable (Value) -> String
        ) -> Kind {
            Kind(form: .one, isPath: isPath, isNumber: isNumber) { (texts, configuration) throws(Complaint) in
                let written = texts.joined()
                guard let value = parse(written) else {
                    let example = text(ServerConfiguration()[keyPath: path])
                    throw Complaint(text: "\(takes), such as \(example), not `\(written)`.")
                }
                if let complaint = check(value) { throw Complaint(text: complaint) }
                configuration[keyPath: path] = value
            } text: {
                text($0[keyPath: path])
            }
        }

        static func count(_ path: Path<Int>) -> Kind {
            one(
                path, isNumber: true, "must be a whole number of at least 1",
                parse: { Int(digits: $0).flatMap { $0 > 0 ? $0 : nil } }
            ) { "\($0)" }
        }

        static func bytes(_ path: Path<Int>, check: @escaping @Sendable (Int) -> String? = { _ in nil }) -> Kind {
            one(
                path, isNumber: true, "must be a number of bytes, or one with K, M, G or T, up to 1024T",
                parse: { ByteCount(argument: $0)?.bytes }, check: check
            ) { ByteCount(bytes: $0).description }
        }

        static func time(_ path: Path<Duration>) -> Kind {
            one(path, "must be a time in s or ms", parse: { TimeSpan(argument: $0)?.duration }) { TimeSpan($0).text }
        }

        static func percent(_ path: Path<Int>) -> Kind {
            one(path, "must be a share from 1% to 100%", parse: percent(of:)) { "\($0)%" }
        }

        private static func percent(of text: String) -> Int? {
            guard text.hasSuffix("%"), let share = Int(digits: text.dropLast()), 1...100 ~= share else { return nil }
            return share
        }

        static func directory(_ path: Path<String>) -> Kind {
            one(path, isPath: true, "must be the path of a directory", parse: { $0.isEmpty ? nil : $0 }) { $0 }
        }

        static let durability = one(
            \.durability, "must be group, sync, interval:MS (up to a day), none or memory",
            parse: Durability.init(argument:)
        ) { $0.text }

        static let logLevel = one(
            \.logLevel, "must be one of \(LogLevel.allCases.map(\.rawValue).joined(separator: ", "))",
            parse: LogLevel.init(rawValue:)
        ) { $0.rawValue }

        static let address = Kind(form: .one) { (texts, configuration) throws(Complaint) in
            let text = texts.joined()
            guard let address = ListenAddress(text) else {
                throw Complaint(text: "`\(text)`: \(ListenAddress.mistake(in: text))", status: .configuration)
            }
            configuration.http.address = address
        } text: {
            "\($0.http.address)"
        }

        /// The settings file itself, which a file cannot name.
        static let file = Kind(form: .one, isPath: true) { (texts, configuration) in
            configuration.file = texts.joined()
        } text: {
            $0.file
        }

        /// Several values, separated by commas in a variable.
        ///
        /// - `takes`: the complaint about a value for which `isValid` is false.
        static func list(
            _ path: Path<[String]>, _ takes: String, _ isValid: @escaping @Sendable (String) -> Bool
        ) -> Kind {
            Kind(form: .list) { (texts, configuration) throws(Complaint) in
                if let wrong = texts.first(where: { !isValid($0) }) {
                    throw Complaint(text: "\(takes), not `\(wrong)`.")
                }
                configuration[keyPath: path] = texts
            } text: {
                $0[keyPath: path].joined(separator: ", ")
            }
        }

        static func yes(_ path: Path<Bool>) -> Kind {
            Kind(form: .yes) { (texts, configuration) throws(Complaint) in
                guard let value = Bool(texts.joined()) else {
                    throw Complaint(text: "must be true or false, not `\(texts.joined())`.")
                }
                configuration[keyPath: path] = value
            } text: {
                "\($0[keyPath: path])"
            }
        }

        static func fixed(_ count: Int) -> Kind { fixed("\(count)") }

        static func fixed(bytes: Int) -> Kind { fixed(ByteCount(bytes: bytes).description) }

        static func fixed(_ text: String) -> Kind {
            Kind(form: .fixed) { (_, _) throws(Complaint) in
                throw Complaint(text: "is fixed at \(text) and cannot be changed. Leave it out.")
            } text: { _ in
                text
            }
        }
    }
}

extension Setting.Kind {
    /// The daemon's memory: enough for one model, and no more than this process may use.
    static let memory = bytes(\.serving.memoryLimit) { bytes in
        let (all, written) = (MachineMemory.current, ByteCount(bytes: bytes).rounded)
        if bytes < 1 << 20 { return "must be at least 1M, not \(written)." }
        guard bytes > all.bytes else { return nil }
        return
            "\(written) is more than \(all.owner) \(ByteCount(bytes: all.bytes).rounded); write less, or leave it out for half of that."
    }
}

extension ListenAddress {
    /// The reason why a text is not an address, and what to write.
    static func mistake(in text: String) -> String {
        let form = "write HOST:PORT, such as 127.0.0.1:8470 or [::1]:0"
        guard let colon = text.lastIndex(of: ":") else { return form }
        let (host, port) = (text[..<colon], text[text.index(after: colon)...])
        guard !host.isEmpty, !port.isEmpty, !host.contains(":") || host.hasPrefix("[") else { return form }
        guard Int(digits: port).flatMap(UInt16.init(exactly:)) != nil else {
            return "`\(port)` is not a valid port; use 0 to 65535, where 0 picks a free one"
        }
        return
            "`\(host)` is not an IP address; use one of this machine, such as 127.0.0.1. Host names are not looked up"
    }
}
