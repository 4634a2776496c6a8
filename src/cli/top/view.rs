//! The picture: a summary, what is wrong, and the lists.

mod lists;
mod summary;
#[cfg(test)]
mod tests;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Widget};

use super::figures::Figures;
use super::layout::{Plan, Wanted};
use super::screen::Screen;

/// Everything that is seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    /// The gateway that is asked.
    pub(super) place: &'a str,
    /// What it last said; none before its first answer.
    pub(super) figures: Option<&'a Figures>,
    /// Since when, in seconds, it says nothing, and why.
    pub(super) lost: Option<(u64, &'a str)>,
    pub(super) screen: Screen,
    /// Seconds since 1970.
    pub(super) now: u64,
    pub(super) look: Look,
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) colour: bool,
}

impl Look {
    fn of(self, colour: Color) -> Style {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        if self.colour { bold.fg(colour) } else { bold }
    }

    fn bad(self) -> Style {
        self.of(Color::Red)
    }

    fn doubtful(self) -> Style {
        self.of(Color::Yellow)
    }

    fn good(self) -> Style {
        self.of(Color::Green)
    }

    fn faint() -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    fn strong() -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    fn title() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

const KEYS: &str = "q quit  p pause  ←→ sort  ↑↓ scroll  ? help";

const HELP: [&str; 16] = [
    "Rates are per second, of the last interval; p50 and p99 are of what",
    "ended in it, out of the buckets of the gateway's histograms.",
    "",
    "4xx/s 5xx/s  answers of these classes, the upstream's and our own",
    "servers      in: gets its share; ejected, unhealthy, unreachable,",
    "             drained: gets none",
    "fails/s      tries that came to no answer",
    "by verdict   who knew the sessions of requests: the verdict on the",
    "cache store  token, the cache, or the store by a round trip",
    "refused      answers of the gateway itself, by their code",
    "",
    "← → or h l   the column that routes are sorted by",
    "↑ ↓ or k j   scroll the routes",
    "p or space   stand still",
    "q or Ctrl-C  quit",
    "? or Esc     leave this help",
];

impl View<'_> {
    pub(super) fn draw(&self, area: Rect, buffer: &mut Buffer) {
        let troubles = self.troubles();
        let plan = Plan::of(area, self.wanted(troubles.len()));
        self.summary(plan.summary, buffer);
        Paragraph::new(troubles).render(plan.troubles, buffer);
        if let Some(figures) = self.figures {
            self.routes(figures, plan, buffer);
            self.upstreams(figures, plan.upstreams, buffer);
            self.calls(figures, plan.calls, buffer);
            self.refusals(figures, plan, buffer);
        }
        Line::styled(KEYS, Look::faint()).render(plan.footer, buffer);
        if self.screen.help {
            help(area, buffer);
        }
    }

    fn wanted(&self, troubles: usize) -> Wanted {
        let Some(figures) = self.figures else { return Wanted { troubles, ..Wanted::default() } };
        Wanted {
            routes: figures.routes.len(),
            upstreams: figures.upstreams.len(),
            calls: figures.calls.len(),
            refusals: figures.refusals.len(),
            troubles,
        }
    }

    /// What keeps the gateway from being ready, and a configuration that it kept out.
    fn troubles(&self) -> Vec<Line<'static>> {
        let Some(figures) = self.figures else { return Vec::new() };
        let line = |style, about: &str, what: &str| {
            Line::from(vec![Span::styled(format!("{about}: "), style), what.to_owned().into()])
        };
        let blocked = figures.state.blocked.iter();
        let blocked = blocked.map(|(part, reason)| line(self.look.bad(), part, reason));
        let kept_out = figures.state.failure.iter();
        let kept_out =
            kept_out.map(|what| line(self.look.doubtful(), "configuration kept out", what));
        blocked.chain(kept_out).collect()
    }
}

fn help(area: Rect, buffer: &mut Buffer) {
    let width = HELP.iter().map(|line| line.chars().count()).max().unwrap_or_default() + 4;
    let (width, height) = (u16::try_from(width).unwrap_or(u16::MAX), 18);
    let (width, height) = (width.min(area.width), height.min(area.height));
    let (x, y) = ((area.width - width) / 2, (area.height - height) / 2);
    let place = Rect { x: area.x + x, y: area.y + y, width, height };
    Clear.render(place, buffer);
    let frame = ratatui::widgets::Block::bordered().title(" wxgate top ");
    let text: Vec<_> = HELP.iter().map(|line| Line::from(format!(" {line}"))).collect();
    Paragraph::new(text).block(frame).render(place, buffer);
}
