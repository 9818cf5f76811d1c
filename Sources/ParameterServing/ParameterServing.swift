// The module's first file; see the module's own files for its contents.
