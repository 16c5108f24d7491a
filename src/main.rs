//! Parse, call, turn the result into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(lifeboat::cli::main(std::env::args_os()))
}
