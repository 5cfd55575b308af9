//! Writes the files into the repository. Run by `cargo xtask api`.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for file in zetra_api_docs::files() {
        std::fs::write(root.join(file.path), file.text)?;
        println!("✓ {}", file.path);
    }
    Ok(())
}
