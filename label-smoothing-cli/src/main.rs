//! The command `label-smoothing`: the conformance kit, the smoothed loss of arrays in files, its speed and accuracy beside
//! the frameworks' own, and what it does to a network that is trained with it.

mod accuracy;
mod args;
mod backends;
mod chart;
mod compare;
mod conformance;
mod error;
mod evaluate;
mod progress;
mod staged;
mod tensor;
mod text;
mod train;

use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::{CommandFactory, Parser};

use args::{Cli, Command};
use error::Result;

/// A check failed.
const FAILED: u8 = 1;
/// The call or a file is at fault.
const AT_FAULT: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error),
    };
    match run(cli) {
        Ok((text, status)) => match print(&text) {
            Ok(()) => status,
            Err(error) => {
                complain(&format!("the output cannot be written: {error}"));
                ExitCode::from(AT_FAULT)
            }
        },
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(AT_FAULT)
        }
    }
}

/// Colours are for terminals, and taken out of everything else.
fn print(text: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // Whoever closed the pipe has seen enough, and the status says what was found.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// The text to print, and the status.
fn run(cli: Cli) -> Result<(String, ExitCode)> {
    let command = cli.command.unwrap_or(Command::Conformance(cli.conformance));
    let (text, is_well) = match command {
        Command::Conformance(args) => conformance::conformance(&args)?,
        Command::Check(args) => conformance::check(&args)?,
        Command::Evaluate(args) => (evaluate::run(&args)?, true),
        Command::Compare(args) => (compare::run(&args)?, true),
        Command::Accuracy(args) => (accuracy::run(&args)?, true),
        Command::PeakMemory(args) => (compare::peak_memory(&args)?, true),
        Command::Train(args) => (train::run(&args)?, true),
        Command::Backends => (backends::table(), true),
        Command::Completions(args) => (completions(args.shell), true),
    };
    Ok((text, if is_well { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }))
}

/// Help and version are printed as they are, an error as the one line that says what it is.
fn not_parsed(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let first: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let first = first.join(" ");
    complain(first.strip_prefix("error: ").unwrap_or(&first));
    ExitCode::from(AT_FAULT)
}

fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "label-smoothing", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

fn complain(message: &str) {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let _ = writeln!(anstream::stderr(), "{style}error:{style:#} {message}");
}
