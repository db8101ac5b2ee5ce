use std::ffi::OsString;

use clap::{CommandFactory, Parser};

use super::Cli;

const LINES: usize = 20_000;

/// Values of every kind, right for some option and wrong for others.
const VALUES: &str = "0.1 -1 NaN -inf 1e999 0x1p-3 18446744073709551616 9223372036854775808 4096x1000 0x0 x 1x -1x3 2,3 , = - -- \
    --= --json=x -j f16 candle z.npy z.safetensors:name : /dev/null \u{1b}[2J \u{fffd}";

/// The words of every option and subcommand, what they may be given, and what they may not.
fn words() -> Vec<OsString> {
    let command = Cli::command();
    let mut words: Vec<OsString> = VALUES.split_whitespace().map(OsString::from).collect();
    words.extend(["", " ", "\n"].map(OsString::from));
    #[cfg(unix)]
    words.push(std::os::unix::ffi::OsStringExt::from_vec(vec![0x66, 0xff, 0xfe]));
    for command in command.get_subcommands().chain([&command]) {
        words.push(command.get_name().into());
        for argument in command.get_arguments() {
            words.extend(argument.get_long().map(|name| format!("--{name}").into()));
            words.extend(argument.get_short().map(|name| format!("-{name}").into()));
            words.extend(argument.get_possible_values().iter().map(|value| value.get_name().into()));
        }
    }
    words
}

/// Whatever words stand in whatever order, they are a command or an error that says why.
#[test]
fn words_in_any_order_are_a_command_or_an_error() {
    let (words, mut random) = (words(), fastrand::Rng::with_seed(7));
    let commands: Vec<String> = Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let (mut parsed, mut refused) = (0, 0);
    for _ in 0..LINES {
        let mut line = vec![OsString::from("label-smoothing")];
        // Most begin with a subcommand, without which nearly all are refused at once.
        line.extend((random.u8(..4) > 0).then(|| commands[random.usize(..commands.len())].clone().into()));
        line.extend((0..random.usize(..6)).map(|_| words[random.usize(..words.len())].clone()));
        match Cli::try_parse_from(&line) {
            Ok(_) => parsed += 1,
            Err(why) => {
                assert!(!why.to_string().trim().is_empty(), "{line:?}");
                refused += 1;
            }
        }
    }
    assert_eq!(parsed + refused, LINES);
    assert!(parsed > LINES / 20 && refused > LINES / 20, "{parsed} parsed, {refused} refused");
}
