//! The short form of the fuzzer: every target over its committed seeds and thousands of mutations of them, the same
//! each time. It finds what is near the seeds; `cargo xtask fuzz` finds the rest.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that panics says so")]

use std::{collections::BTreeSet, fs, path::PathBuf};

use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use zetra_fuzz_targets::{TARGETS, Target};

const MUTATIONS: u32 = 4_000;
const LONGEST: usize = 4_096;

/// One change of an input.
#[derive(Clone, Debug)]
enum Mutation {
    Replace(Index, u8),
    Insert(Index, u8),
    Delete(Index, Index),
    /// A part is repeated somewhere else.
    Copy(Index, Index, Index),
    /// A line is repeated, or one of another seed comes in.
    Line(Index, Index, Index),
    /// Ends there, and another seed goes on.
    Splice(Index, Index, Index),
}

/// In a failure it can be read.
struct Input(Vec<u8>);

impl std::fmt::Debug for Input {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.0.escape_ascii())
    }
}

#[test]
fn seeds_and_their_mutations_break_no_promise() {
    std::thread::scope(|scope| {
        for target in TARGETS {
            scope.spawn(move || run(target));
        }
    });
}

#[test]
fn every_target_has_a_binary_and_seeds() {
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(fuzz().join(folder)).unwrap();
        let name = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        entries.map(|entry| name(entry.unwrap().path())).collect()
    };
    let targets: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("seeds"), targets);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for target in targets {
        assert!(seeds(&target).len() >= 3, "{target} has hardly any seeds");
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")),
            "{target} is not in the manifest"
        );
    }
}

fn run(Target { name, run }: Target) {
    let seeds = seeds(name);
    seeds.iter().for_each(|seed| run(seed));
    let config = Config { cases: MUTATIONS, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let input = (any::<Index>(), prop::collection::vec(mutation(), 0..12)).prop_map(|(seed, mutations)| {
        let seed = seed.get(&seeds).clone();
        let mut input = mutations.iter().fold(seed, |input, mutation| mutation.apply(input, &seeds));
        input.truncate(LONGEST);
        Input(input)
    });
    let outcome = runner.run(&input, |Input(input)| {
        run(&input);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{name}: {error}");
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    // What the grammars are made of, and anything else.
    let byte = || prop_oneof![3 => prop::sample::select(b"[]{}\",:\\/-0123456789.eb \n\x1e$".as_slice()), 1 => any::<u8>()];
    prop_oneof![
        (at(), byte()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        (at(), byte()).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        (at(), at()).prop_map(|(from, to)| Mutation::Delete(from, to)),
        (at(), at(), at()).prop_map(|(from, to, at)| Mutation::Copy(from, to, at)),
        (at(), at(), at()).prop_map(|(seed, line, at)| Mutation::Line(seed, line, at)),
        (at(), at(), at()).prop_map(|(at, seed, from)| Mutation::Splice(at, seed, from)),
    ]
}

impl Mutation {
    fn apply(&self, mut input: Vec<u8>, seeds: &[Vec<u8>]) -> Vec<u8> {
        let place = |index: &Index, length: usize| index.index(length + 1);
        let length = input.len();
        match self {
            Self::Replace(at, byte) if length > 0 => input[at.index(length)] = *byte,
            Self::Replace(_, byte) => input.push(*byte),
            Self::Insert(at, byte) => input.insert(place(at, length), *byte),
            Self::Delete(from, to) => {
                let (from, to) = (place(from, length), place(to, length));
                input.drain(from.min(to)..from.max(to).min(from.min(to) + 16));
            }
            Self::Copy(from, to, at) => {
                let (from, to, at) = (place(from, length), place(to, length), place(at, length));
                let part = input[from.min(to)..from.max(to)].to_vec();
                input.splice(at..at, part);
            }
            Self::Line(seed, line, at) => {
                let from: Vec<&[u8]> = seed.get(seeds).split(|byte| *byte == b'\n').collect();
                let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
                lines.insert(place(at, lines.len()), from[line.index(from.len())]);
                return lines.join(&b'\n');
            }
            Self::Splice(at, seed, from) => {
                let other = seed.get(seeds);
                input.truncate(place(at, length));
                input.extend_from_slice(&other[place(from, other.len())..]);
            }
        }
        input
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = fuzz().join("seeds").join(target);
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn fuzz() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}
