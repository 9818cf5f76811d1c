// Relations between settings that are valid on their own; checked once, before anything is opened.

/// Two settings that contradict each other.
struct SettingRelation: Sendable {
    /// The setting whose place the refusal names.
    let name: String
    /// What is wrong, with that setting as the subject; nil if nothing is.
    let complaint: @Sendable (ServerConfiguration) -> String?

    static let all = [
        SettingRelation(name: "listen") { configuration in
            let address = configuration.http.address
            guard !address.isLoopback, !configuration.isOpen else { return nil }
            return """
                \(address) can be reached from other machines, and there is no authentication: listen on 127.0.0.1, or add \
                --insecure-no-auth if everyone who reaches it may change every model
                """
        },
        SettingRelation(name: "header-bytes") { configuration in
            let http = configuration.http
            let (most, target) = (ByteCount(bytes: http.connectionMemory), ByteCount(bytes: http.maximumTargetBytes))
            guard http.maximumHeaderBytes + target.bytes > most.bytes else { return nil }
            return """
                \(ByteCount(bytes: http.maximumHeaderBytes)) and target-bytes \(target) are together more than the \(most) that \
                a connection has for a head. Write less for one of them.
                """
        },
        SettingRelation(name: "pressure-rate") { configuration in
            let (pressed, least) = (configuration.http.pressureRate, configuration.http.minimumRate)
            guard pressed < least else { return nil }
            return """
                \(ByteCount(bytes: pressed)) is less than minimum-rate \(ByteCount(bytes: least)), and slower transfers are \
                ended anyway. Write at least that.
                """
        },
    ]
}

extension EffectiveSettings {
    /// The start of a refusal of a setting's value: where it was written.
    func subject(_ name: String) -> String {
        guard let setting = Setting.all.first(where: { $0.name == name }) else { return name }
        return origin(of: setting).subject(setting)
    }

    /// These settings, if they are consistent.
    ///
    /// - Throws: `StartFailure`, which says which one to change.
    func checked() throws(StartFailure) -> EffectiveSettings {
        let complaints = SettingRelation.all.compactMap { relation in
            relation.complaint(configuration).map { "\(subject(relation.name)) \($0)" }
        }
        guard complaints.isEmpty else {
            throw StartFailure(status: .configuration, message: complaints.joined(separator: "\nparamd: "))
        }
        return self
    }
}
