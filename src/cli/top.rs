//! `wxgate top`: what a gateway does, live in the terminal.

mod change;
mod exposition;
mod figures;
mod layout;
mod number;
mod quantile;
mod sample;
mod screen;
mod terminal;
mod view;

use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use ratatui::crossterm::terminal::size;
use ratatui::layout::Rect;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use self::figures::Figures;
use self::sample::Sample;
use self::screen::Screen;
use self::terminal::{Input, Terminal};
use self::view::{Look, View};
use super::admin::{Admin, Place};
use super::exit::{Exit, Failure};
use super::output::{self, Output};
use crate::clock::Clock;
use crate::config;
use crate::lifecycle::signals::Signals;

const EXAMPLES: &str = "\
Examples:
  wxgate top
      the gateway on this machine
  wxgate top --admin http://10.0.0.7:9901 --interval 5s
  wxgate top -c /etc/wxgate/gateway.toml
  wxgate top --once | head -20
      one picture as text, of one interval

Keys: q quits, p stands still, left and right choose the column that routes are sorted by, up and down \
scroll, ? explains the figures. It needs no token, and changes nothing.";

/// A gateway answers in milliseconds; who takes longer is not well.
const DEADLINE: Duration = Duration::from_secs(2);

/// Without a terminal, as wide as most of them.
const COLUMNS: u16 = 100;
/// More than a picture without a terminal ever has lines.
const LINES: u16 = 500;

/// Watch a gateway that runs: routes, upstreams, WeChat, store, in the terminal.
///
/// It reads /metrics, /readyz and /version of the admin listener, and shows what happened in between.
#[derive(Debug, clap::Args)]
#[command(after_help = "Use --help for examples.", after_long_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    place: Place,

    /// How often to ask; rates are of this time.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    interval: Duration,

    /// Write one picture as text, and end.
    #[arg(long)]
    once: bool,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = config::duration(text)?;
    let range = Duration::from_millis(100)..=Duration::from_secs(3_600);
    match range.contains(&interval) {
        true => Ok(interval),
        false => Err("it is between 100ms and 1h".to_owned()),
    }
}

pub(super) async fn run(args: &Args) -> Result<Exit, Failure> {
    let (url, _) = args.place.find()?;
    let admin = Admin::new(&url, None, DEADLINE)?;
    let output = Output::stdout();
    match (args.once, output.terminal) {
        (true, _) => once(&admin, args.interval, output).await?,
        (false, true) => live(admin, args.interval, output).await?,
        (false, false) => {
            let text = "standard output is no terminal; --once writes one picture";
            return Err(Failure::new(Exit::Usage, text));
        }
    }
    Ok(Exit::Done)
}

async fn once(admin: &Admin, interval: Duration, output: Output) -> Result<(), Failure> {
    let failed = |reason| {
        let text = format!("no answer from {}: {reason}", admin.base());
        Failure::new(Exit::Unavailable, text)
    };
    let before = sample::take(admin).await.map_err(failed)?;
    tokio::time::sleep(interval).await;
    let now = sample::take(admin).await.map_err(failed)?;
    let figures = Figures::of(Some(&before), &now);
    let view = View {
        place: admin.base(),
        figures: Some(&figures),
        lost: None,
        screen: Screen::default(),
        now: Clock::system().now(),
        look: Look { colour: false },
    };
    let columns = output.terminal.then(size).and_then(Result::ok).map(|(columns, _)| columns);
    let columns = columns.or_else(|| std::env::var("COLUMNS").ok()?.parse().ok());
    output::write(&text(&view, columns.unwrap_or(COLUMNS).clamp(40, 400)))
}

/// The picture without colours, and without what is only for a terminal.
fn text(view: &View<'_>, columns: u16) -> String {
    let area = Rect::new(0, 0, columns, LINES);
    let mut buffer = Buffer::empty(area);
    view.draw(area, &mut buffer);
    let line = |y: u16| {
        let cells = (0..columns).filter_map(|x| buffer.cell((x, y))).map(|cell| cell.symbol());
        cells.collect::<String>().trim_end().to_owned()
    };
    // The last one is that of the keys.
    let mut lines: Vec<_> = (0..LINES - 1).map(line).collect();
    let seen = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    lines.truncate(seen);
    lines.join("\n") + "\n"
}

/// What is known, and what the person decided.
struct Top {
    place: String,
    last: Option<Sample>,
    figures: Option<Figures>,
    lost: Option<(Instant, String)>,
    screen: Screen,
    look: Look,
}

/// Until the person has seen enough.
async fn live(admin: Admin, interval: Duration, output: Output) -> Result<(), Failure> {
    let mut signals = Signals::catch()?;
    let look = Look { colour: output.colour };
    let place = admin.base().to_owned();
    let screen = Screen::default();
    let mut top = Top { place, last: None, figures: None, lost: None, screen, look };
    let (paused, samples) = watch::channel(false);
    let mut samples = follow(admin, interval, samples);
    let mut terminal = Terminal::enter()?;
    let mut inputs = terminal::inputs();
    // What is lost is lost for longer with each second.
    let mut second = tokio::time::interval(Duration::from_secs(1));
    while !top.screen.over {
        terminal.draw(top.view())?;
        tokio::select! {
            sample = samples.recv() => match sample {
                Some(sample) => top.take(sample),
                None => break,
            },
            input = inputs.recv() => match input {
                Some(Input::Key(key)) => {
                    let routes = top.figures.as_ref().map_or(0, |figures| figures.routes.len());
                    top.screen.press(key, routes);
                    paused.send_replace(top.screen.paused);
                }
                Some(Input::Resized) => {}
                None => break,
            },
            _ = second.tick() => {}
            _ = signals.next() => break,
        }
    }
    Ok(())
}

/// Asks again and again, except while it is to stand still.
fn follow(
    admin: Admin,
    interval: Duration,
    paused: watch::Receiver<bool>,
) -> mpsc::Receiver<Result<Sample, String>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(interval);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !sender.is_closed() {
            tick.tick().await;
            let is_paused = *paused.borrow();
            if !is_paused && sender.send(sample::take(&admin).await).await.is_err() {
                return;
            }
        }
    });
    receiver
}

impl Top {
    fn take(&mut self, sample: Result<Sample, String>) {
        // One was under way when it was told to stand still.
        if self.screen.paused {
            return;
        }
        match sample {
            Ok(sample) => {
                // Of the time in which it said nothing there is no rate.
                let before = self.last.as_ref().filter(|_| self.lost.is_none());
                self.figures = Some(Figures::of(before, &sample));
                self.last = Some(sample);
                self.lost = None;
            }
            Err(reason) => {
                let since = self.lost.take().map_or_else(Instant::now, |(since, _)| since);
                self.lost = Some((since, reason));
            }
        }
    }

    fn view(&self) -> View<'_> {
        let lost = self.lost.as_ref();
        View {
            place: &self.place,
            figures: self.figures.as_ref(),
            lost: lost.map(|(since, reason)| (since.elapsed().as_secs(), reason.as_str())),
            screen: self.screen,
            now: Clock::system().now(),
            look: self.look,
        }
    }
}
