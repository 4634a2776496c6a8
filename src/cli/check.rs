//! `wxgate check`: everything that is wrong with a configuration.

use std::fs::File;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::exit::{Exit, Failure};
use super::output::{self, Output};
use crate::config::{self, Problem, Reading};

const EXAMPLES: &str = "\
Examples:
  wxgate check
      reads gateway.toml in this folder
  wxgate check --strict /etc/wxgate/gateway.toml
      warnings count as problems, as they should in CI
  wxgate check --json | jq -r '.problems[].message'

Off a terminal each finding is one line, FILE:LINE:COLUMN: SEVERITY: WHAT; WHAT TO DO, as editors \
read it. It exits with 0 where the file works, 65 where it does not, 66 where there is none.";

/// Say everything that is wrong with a configuration.
///
/// It reads the whole file and reports every problem with its line and column, what works but is hardly
/// meant, and what to do about each. Variables and the files of secrets have to be there, as for `run`;
/// nothing is connected to. A secret is never shown.
#[derive(Debug, clap::Args)]
#[command(after_help = "Use --help for examples.", after_long_help = EXAMPLES)]
pub struct Args {
    /// The configuration.
    #[arg(value_name = "FILE", default_value = "gateway.toml", env = "WXGATE_CONFIG")]
    file: PathBuf,

    /// Count warnings as problems.
    #[arg(long)]
    strict: bool,

    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Severity {
    Error,
    Warning,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let file = args.file.display();
    File::open(&args.file).map_err(|error| {
        let exit = Exit::of_io(&error);
        Failure { exit, error: anyhow::Error::new(error).context(format!("cannot read {file}")) }
    })?;
    let reading = config::read(&args.file, &|name| std::env::var(name).ok());
    let findings = findings(&reading, args.strict);
    let works = findings.iter().all(|(severity, _)| *severity == Severity::Warning);
    let file = &reading.problems.file;
    match args.json {
        true => output::write_json(&json!({
            "file": file,
            "works": works,
            "problems": findings.iter().map(as_json).collect::<Vec<_>>(),
        }))?,
        false => output::write(&report(&reading, &findings, Output::stdout()))?,
    }
    Ok(if works { Exit::Done } else { Exit::Data })
}

fn findings(reading: &Reading, strict: bool) -> Vec<(Severity, &Problem)> {
    let of_warning = if strict { Severity::Error } else { Severity::Warning };
    let problems = reading.problems.list.iter().map(|problem| (Severity::Error, problem));
    let warnings = reading.warnings.list.iter().map(|warning| (of_warning, warning));
    let mut findings: Vec<_> = problems.chain(warnings).collect();
    findings.sort_by_key(|(_, problem)| (problem.line, problem.column));
    findings
}

fn as_json((severity, problem): &(Severity, &Problem)) -> Value {
    let place = |number: usize| (number > 0).then_some(number);
    json!({
        "severity": severity.name(),
        "line": place(problem.line),
        "column": place(problem.column),
        "message": problem.message,
        "help": problem.help,
    })
}

fn report(reading: &Reading, findings: &[(Severity, &Problem)], output: Output) -> String {
    let mut report = String::new();
    for (severity, problem) in findings {
        let place = match problem.line {
            0 => reading.problems.file.clone(),
            line => format!("{}:{line}:{}", reading.problems.file, problem.column),
        };
        let name = severity.name();
        if !output.terminal {
            report += &format!("{place}: {name}: {problem}\n");
            continue;
        }
        let name = match severity {
            Severity::Error => output.bad(name),
            Severity::Warning => output.doubtful(name),
        };
        report += &format!("{} {name}\n  {}\n", output.strong(place), problem.message);
        if let Some(help) = &problem.help {
            report += &format!("  {} {help}\n", output.faint("→"));
        }
        report.push('\n');
    }
    report + &summary(reading, findings, output) + "\n"
}

fn summary(reading: &Reading, findings: &[(Severity, &Problem)], output: Output) -> String {
    let count = |of: Severity| findings.iter().filter(|(severity, _)| *severity == of).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let file = &reading.problems.file;
    let warned = match warnings {
        0 => String::new(),
        warnings => format!(", {}", counted(warnings, "warning")),
    };
    let Some(settings) = reading.settings.as_ref().filter(|_| errors == 0) else {
        let errors = output.bad(counted(errors, "problem"));
        return format!("{file} does not work: {errors}{warned}");
    };
    let holds = [
        (settings.apps.len(), "app"),
        (settings.upstreams.len(), "upstream"),
        (settings.routes.len(), "route"),
    ];
    let holds = holds.map(|(number, noun)| counted(number, noun)).join(", ");
    format!("{file} {}: {holds}{warned}", output.good("works"))
}

fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}
