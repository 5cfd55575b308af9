//! Runs other programs, with their output shown or followed line by line, and stops them.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

use crate::{
    error::Result,
    progress::{self, Step},
    workspace,
};

/// How often a program whose output is shown is asked whether it has ended.
const POLL: Duration = Duration::from_millis(50);
/// Lines of output that are kept to be shown when a quiet program fails.
const KEPT_LINES: usize = 40;

/// Global, because signals concern the whole process.
static STOPPING: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From now on Ctrl-C, SIGTERM and SIGHUP end nothing by themselves: [`is_stopping`] reports them. The signal handler itself
/// sets the flag: a thread that did so later could miss a signal that came together with the end of a program.
pub fn catch_stop_signals() -> Result<()> {
    [SIGINT, SIGTERM, SIGHUP]
        .into_iter()
        .try_for_each(|signal| flag::register(signal, Arc::clone(&STOPPING)).map(drop))
        .map_err(|error| format!("cannot catch Ctrl-C: {error}"))
}

pub fn is_stopping() -> bool {
    STOPPING.load(Ordering::SeqCst)
}

/// An error once Ctrl-C or SIGTERM came: SIGTERM reaches this process alone, so the program that it is waiting for may have
/// ended well, and what comes after that must not begin.
pub fn fail_if_stopping() -> Result<()> {
    if is_stopping() { Err("stopped".to_owned()) } else { Ok(()) }
}

/// Does both at once. When one fails, the other is stopped like all else, and the error is of the one that failed first.
pub fn side_by_side<A, B: Send>(
    here: impl FnOnce() -> Result<A>,
    beside: impl FnOnce() -> Result<B> + Send,
) -> Result<(A, B)> {
    let (sender, failures) = mpsc::channel();
    progress::IS_SHARED.store(true, Ordering::SeqCst);
    let outcome = std::thread::scope(|scope| {
        let noting = sender.clone();
        let beside = scope.spawn(move || beside().map_err(|error| fail(&noting, error)));
        let here = here().map_err(|error| fail(&sender, error));
        let beside = beside.join().unwrap_or_else(|_| {
            fail(&sender, "a step panicked".to_owned());
            Err(())
        });
        here.and_then(|here| Ok((here, beside?)))
    });
    progress::IS_SHARED.store(false, Ordering::SeqCst);
    outcome.map_err(|()| failures.try_recv().unwrap_or_default())
}

/// Notes an error before anything else can fail because of it.
fn fail(failures: &mpsc::Sender<String>, error: String) {
    // The other end lives as long as whoever may fail.
    let _ = failures.send(error);
    STOPPING.store(true, Ordering::SeqCst);
}

/// A command in the workspace's root.
pub fn command(program: impl AsRef<Path>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).current_dir(workspace::root());
    // What cargo builds is looked for there, wherever this machine's other projects build.
    command.env("CARGO_TARGET_DIR", workspace::path("target"));
    command
}

/// Runs a command and shows its output. When we are told to stop, it ends first.
pub fn run_shown(mut command: Command, remedy: &str) -> Result<()> {
    let status = command.status().map_err(|error| cannot_start(&command, &error, remedy))?;
    judged(status, &command, remedy)
}

/// The same for a command that may be stopped at any moment: it is asked to when we are.
pub fn run_stoppable(mut command: Command, remedy: &str) -> Result<()> {
    let mut child = command.spawn().map_err(|error| cannot_start(&command, &error, remedy))?;
    let status = loop {
        match child.try_wait().map_err(|error| format!("{} was lost: {error}", named(&command)))? {
            Some(status) => break status,
            None if is_stopping() => terminate(&mut child),
            None => std::thread::sleep(POLL),
        }
    };
    judged(status, &command, remedy)
}

fn judged(status: ExitStatus, command: &Command, remedy: &str) -> Result<()> {
    fail_if_stopping()?;
    if status.success() { Ok(()) } else { Err(format!("{} failed ({status}). {remedy}", named(command))) }
}

/// What a program that prints JSON has said.
pub struct Answer {
    succeeded: bool,
    /// Its standard output, where that is JSON; it may be even when the program failed.
    pub json: Option<Value>,
    /// All that it printed.
    pub said: String,
}

impl Answer {
    /// The JSON of a program that succeeded; otherwise all that it said.
    pub fn into_json(self) -> Result<Value> {
        self.json.filter(|_| self.succeeded).ok_or(self.said)
    }
}

/// Runs a program that prints JSON and asks nothing.
pub fn answer_of(mut command: Command) -> Result<Answer> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| cannot_start(&command, &error, ""))?;
    fail_if_stopping()?;
    let [printed, complained] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    Ok(Answer {
        succeeded: output.status.success(),
        json: serde_json::from_str(&printed).ok(),
        said: format!("{printed}{complained}").trim().to_owned(),
    })
}

/// Runs quietly, telling `step` the latest line; what it printed is shown only when it fails. Ends with
/// us when we are told to stop.
pub fn run_quietly(command: Command, step: &mut Step, remedy: &str) -> Result<()> {
    run_noting(command, step, remedy, |_| {})
}

/// The same, and calls `note` with each line.
pub fn run_noting(
    mut command: Command,
    step: &mut Step,
    remedy: &str,
    mut note: impl FnMut(&str),
) -> Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| cannot_start(&command, &error, remedy))?;
    let (sender, lines) = mpsc::channel();
    let outputs: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|output| Box::new(output) as _),
        child.stderr.take().map(|output| Box::new(output) as _),
    ];
    for output in outputs.into_iter().flatten() {
        let sender = sender.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(std::result::Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
    }
    drop(sender);
    let mut kept = VecDeque::new();
    let mut latest = named(&command);
    loop {
        match lines.recv_timeout(Duration::from_secs(1)) {
            Ok(line) => {
                note(&line);
                latest = line.trim().to_owned();
                kept.push_back(line);
                if kept.len() > KEPT_LINES {
                    kept.pop_front();
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if is_stopping() {
            terminate(&mut child);
            return Err(format!("{} was stopped", named(&command)));
        }
        step.update(&latest);
    }
    let status = child.wait().map_err(|error| format!("{} was lost: {error}", named(&command)))?;
    if status.success() {
        return Ok(());
    }
    let output: Vec<String> = kept.into();
    Err(format!("{} failed ({status}). {remedy}\n\n{}", named(&command), output.join("\n")))
}

/// What a program prints to its standard output, or `None` if it cannot be run or fails.
pub fn output_of(mut command: Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Asks a program to stop and waits until it has exited.
pub fn terminate(child: &mut Child) {
    // Errors mean that it is gone, which is what we want.
    if let Ok(id) = i32::try_from(child.id()) {
        let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
    }
    let _ = child.wait();
}

fn named(command: &Command) -> String {
    let arguments = command.get_args().take(3).map(|argument| argument.to_string_lossy());
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy();
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}

fn cannot_start(command: &Command, error: &std::io::Error, remedy: &str) -> String {
    format!("cannot start {}: {error}. {remedy}", named(command))
}
