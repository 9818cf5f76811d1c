// When a push is applied. There is only one mode so far, so nothing is stored; PUT and PATCH use the same check.

import Names
import Optimizers

/// The member `consistency` of a definition or a patch.
public enum Consistency {
    /// Refuses modes that this server does not support.
    ///
    /// - Throws: `.invalid`.
    public static func check(_ setting: SettingValue) throws(OptimizerError) {
        guard case .object(let entries) = setting else {
            throw complaint("", .typeError, "`consistency` must be an object such as {\"mode\":\"async\"}")
        }
        for entry in entries where entry.key != "mode" {
            throw complaint(
                "/\(entry.key.pointerEscaped)", .keyError,
                "unknown field `\(entry.key)` of `consistency`; its only field is `mode`")
        }
        guard setting["mode"]?.stringValue == "async" else {
            throw complaint("/mode", .valueError, "`mode` must be \"async\", where each push is applied at once")
        }
    }

    private static func complaint(_ place: String, _ exception: ExceptionClass, _ detail: String) -> OptimizerError {
        .invalid(Complaint(pointer: "/consistency\(place)", exception: exception, detail: detail))
    }
}
