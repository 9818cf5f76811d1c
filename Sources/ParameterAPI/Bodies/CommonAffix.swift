// A common prefix or suffix of all unknown names in a body: PyTorch's DataParallel adds `module.` before each name,
// torch.compile `_orig_mod.`, TensorFlow `:0` after it. One sentence helps more than a suggestion per name.

import Names
import Optimizers

/// A change that turns several unknown names into parameters of the model.
enum CommonAffix {
    /// The names have an extra prefix.
    case prefix(Name)
    /// The names lack a prefix of the parameters.
    case missingPrefix(Name)
    /// The names have an extra suffix.
    case suffix(Name)

    /// The affix of `names`, none of which is a parameter; nil if no single change corrects all.
    ///
    /// Only the first name is analysed; every other one is looked up once.
    init?(of names: [Name], in layout: ArenaLayout) {
        guard names.count > 1, let first = names.first else { return nil }
        let affix = Self.candidates(for: first, layout).first { affix in
            names.allSatisfy { name in affix.parameter(for: name).map { layout.index(of: $0) != nil } ?? false }
        }
        guard let affix else { return nil }
        self = affix
    }

    /// The changes that turn one name into a parameter.
    private static func candidates(for name: Name, _ layout: ArenaLayout) -> [CommonAffix] {
        var found: [CommonAffix] = []
        let bytes = Array(name.utf8)
        for (place, byte) in bytes.enumerated() where isSeparator(byte) {
            let head = Name(String(decoding: bytes[...place], as: UTF8.self))
            if layout.index(of: Name(String(decoding: bytes[(place + 1)...], as: UTF8.self))) != nil {
                found.append(.prefix(head))
            }
            let tail = Name(String(decoding: bytes[place...], as: UTF8.self))
            if layout.index(of: Name(String(decoding: bytes[..<place], as: UTF8.self))) != nil {
                found.append(.suffix(tail))
            }
        }
        let missing = commonPrefix(of: layout)
        if layout.index(of: Name("\(missing)\(name)")) != nil { found.append(.missingPrefix(missing)) }
        return found
    }

    /// The common prefix of all parameters, up to a separator.
    private static func commonPrefix(of layout: ArenaLayout) -> Name {
        var common = Array((layout.parameters.first?.name.utf8).map(Array.init) ?? [])[...]
        for parameter in layout.parameters.dropFirst() where !common.isEmpty {
            common = common.prefix(zip(common, parameter.name.utf8).prefix { $0 == $1 }.count)
        }
        let end = common.lastIndex(where: isSeparator).map { $0 + 1 } ?? common.startIndex
        return Name(String(decoding: common[..<end], as: UTF8.self))
    }

    private static func isSeparator(_ byte: UInt8) -> Bool { ".:/".utf8.contains(byte) }

    /// The parameter for a name after the change; nil if the name lacks the affix.
    private func parameter(for name: Name) -> Name? {
        switch self {
        case .prefix(let prefix):
            name.hasPrefix(prefix) ? Name(String(decoding: name.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)) : nil
        case .missingPrefix(let prefix): Name("\(prefix)\(name)")
        case .suffix(let suffix): name.dropping(suffix: suffix)
        }
    }

    /// What to do about `count` names, all of the body's or some.
    func advice(count: Int, isAll: Bool) -> String {
        let names = isAll ? "all \(count.grouped) names" : "\(count.grouped) names"
        return switch self {
        case .prefix(let prefix): "\(names) begin with `\(prefix)`, but the model's parameters do not: strip it"
        case .missingPrefix(let prefix):
            "\(names) lack `\(prefix)`, which every parameter of the model begins with: add it"
        case .suffix(let suffix): "\(names) end with `\(suffix)`, but the model's parameters do not: strip it"
        }
    }
}
