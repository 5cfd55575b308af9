//! Nothing to link: see `benches/` and `relay/`.
