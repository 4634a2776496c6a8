//! The `wxgate` command.

use std::process::ExitCode;

use wxgate::cli::{self, Arguments};
use wxgate::listen;
use wxgate::telemetry::log;

/// A tenth less CPU for a request than with the system's (`ARCHITECTURE.md`, build).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    listen::take_over();
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(ended) => return ended,
    };
    let log = log::start(&arguments.log());
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let workers @ 1.. = arguments.workers() {
        runtime.worker_threads(workers);
    }
    let code = match runtime.enable_all().build() {
        Ok(runtime) => runtime.block_on(arguments.run(log.clone())),
        Err(error) => cli::failed(&error.into()),
    };
    log.finish();
    code
}
