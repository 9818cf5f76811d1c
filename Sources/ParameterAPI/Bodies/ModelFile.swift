// A model as a file: the safetensors file of a checkpoint, whose metadata hold everything beside the values, becomes a
// model again.

import Names
import Optimizers
import ParameterServing
import TensorCoding

/// What makes a model of an uploaded file.
enum ModelFile {
    /// The metadata's key of everything beside the values.
    static let imageKey: Name = "paramd.image"

    /// The origin of the model that the file holds.
    ///
    /// - Throws: `invalidContent` for a file of something else, and for one whose parts do not fit each other.
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
