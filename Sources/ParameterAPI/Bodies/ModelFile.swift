// Creates a model from a file: a checkpoint's safetensors file, whose metadata contain everything except the values.

import Names
import Optimizers
import ParameterServing
import TensorCoding

/// The content for a model from an uploaded file.
enum ModelFile {
    /// The metadata key of everything except the values.
    static let imageKey: Name = "paramd.image"

    /// The content of the model in the file.
    ///
    /// - Throws: `invalidContent` for a different kind of file, and if its parts are inconsistent.
    static func source(_ file: UploadedFile, _ registry: ModelRegistry) throws(Problem) -> ModelSource {
        guard let text = file.metadata[imageKey], let image = Base64.decode(Array(text.utf8)) else {
            throw Problem(
                .invalidContent,
                "The file is not a checkpoint of this server: its metadata has no `\(imageKey)`. Create the model with JSON, then PUT .../parameters."
            )
        }
        if let name = file.counts.keys.min() {
            throw Problem([
                Complaint(
                    pointer: "/\(name.pointerEscaped)", exception: .keyError,
                    detail: "a checkpoint keeps its counts in `\(imageKey)`; leave `\(name)` out")
            ])
        }
        do throws(ServingError) {
            return try ModelSource(image: image, tensors: file.tensors, catalogue: registry.catalogue)
        } catch {
            throw Problem(error)
        }
    }
}
