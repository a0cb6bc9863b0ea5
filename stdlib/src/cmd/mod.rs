//! `cmd.*`: command lines of the author.

pub(crate) mod environment;
mod execution;
mod run;
mod script;
mod stateful;
mod wait;
mod wait_script;

use crate::{Library, provider::Output};

/// Longest quotation of a command's output in a message, in bytes.
const MAX_WORDS_BYTES: usize = 2000;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library
        .state::<run::Run>()
        .state::<wait::Wait>()
        .state::<script::Script>()
        .state::<wait_script::WaitScript>();
}

/// How a command ended and what it said last, for a message.
pub(crate) fn words(output: &Output) -> String {
    let how = if output.timed_out {
        "its time was up".to_owned()
    } else if output.status > 128 && output.status < 192 {
        format!("ended by signal {}", output.status - 128)
    } else {
        format!("exit status {}", output.status)
    };
    let stderr = output.stderr.trim();
    let said = if stderr.is_empty() { output.stdout.trim() } else { stderr };
    if said.is_empty() {
        return how;
    }
    // The end of an output is where programs say what went wrong.
    let mut start = said.len().saturating_sub(MAX_WORDS_BYTES);
    while !said.is_char_boundary(start) {
        start += 1;
    }
    let more = if start > 0 { "… " } else { "" };
    format!("{how}: {more}{}", said.get(start..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_commands_last_words() {
        let output =
            Output { status: 2, stderr: format!("{}the reason\n", "x\n".repeat(5000)), ..Output::default() };
        let said = words(&output);
        assert!(said.starts_with("exit status 2: … ") && said.ends_with("the reason") && said.len() < 2100);
        assert_eq!(words(&Output { status: 137, ..Output::default() }), "ended by signal 9");
    }
}
