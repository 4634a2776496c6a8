//! The lines at the top: how the gateway is as a whole.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::{Look, View};
use crate::cli::top::figures::Figures;
use crate::cli::top::number::{bytes, count, latency, percent, rate, span};
use crate::cli::top::quantile::Quantiles;

/// A line that begins with what it is about.
struct Told(Vec<Span<'static>>);

impl Told {
    fn about(what: &str) -> Self {
        Self(vec![Span::styled(format!("{what:<9}"), Look::faint())])
    }

    fn then(self, name: &str, value: String) -> Self {
        self.styled(name, value, Look::strong())
    }

    fn styled(mut self, name: &str, value: String, style: Style) -> Self {
        if !name.is_empty() {
            self.0.push(Span::raw(format!("{name} ")));
        }
        self.0.extend([Span::styled(value, style), Span::raw("  ")]);
        self
    }

    fn durations(self, durations: Option<Quantiles>) -> Self {
        self.then("p50", latency(durations.map(|it| it.median)))
            .then("p99", latency(durations.map(|it| it.tail)))
    }
}

impl View<'_> {
    pub(super) fn summary(&self, area: Rect, buffer: &mut Buffer) {
        let mut lines = vec![self.head()];
        if let Some(figures) = self.figures {
            let told = [
                self.requests(figures),
                self.clients(figures),
                self.store(figures),
                process(figures),
            ];
            lines.extend(told.map(|told| Line::from(told.0)));
        }
        Paragraph::new(lines).render(area, buffer);
    }

    fn head(&self) -> Line<'static> {
        let state = self.figures.map(|figures| &figures.state);
        let version = state.map(|state| state.version.as_str()).unwrap_or_default();
        let mut told = Told(vec![Span::styled(format!("wxgate {version}  "), Look::strong())]);
        told = match (self.lost, state) {
            (Some((seconds, reason)), _) => {
                let words = format!("NO ANSWER for {}: {reason}; trying again", span(seconds));
                told.styled("", words, self.look.bad())
            }
            (None, None) => told.styled("", "asking …".to_owned(), Look::faint()),
            (None, Some(state)) if state.blocked.is_empty() => {
                told.styled("", "READY".to_owned(), self.look.good())
            }
            (None, Some(_)) => told.styled("", "NOT READY".to_owned(), self.look.bad()),
        };
        if self.screen.paused {
            told = told.styled("", "PAUSED".to_owned(), self.look.doubtful());
        }
        if let (Some(figures), None) = (self.figures, self.lost) {
            told = told.then("up", self.up(figures)).then("config", configuration(figures));
        }
        Line::from(told.styled("", self.place.to_owned(), Look::faint()).0)
    }

    fn up(&self, figures: &Figures) -> String {
        let started = figures.process.started.map(|started| started.max(0.0) as u64);
        started.map_or_else(|| "-".to_owned(), |started| span(self.now.saturating_sub(started)))
    }

    fn requests(&self, figures: &Figures) -> Told {
        let all = &figures.all;
        let style = |rate: Option<f64>, style| match rate {
            Some(rate) if rate > 0.0 => style,
            _ => Look::strong(),
        };
        Told::about("requests")
            .then("", format!("{}/s", rate(all.requests)))
            .durations(all.duration)
            .styled(
                "4xx/s",
                rate(all.client_errors),
                style(all.client_errors, self.look.doubtful()),
            )
            .styled("5xx/s", rate(all.server_errors), style(all.server_errors, self.look.bad()))
            .then("in flight", count(figures.process.in_flight))
    }

    fn clients(&self, figures: &Figures) -> Told {
        let process = &figures.process;
        let mut told = Told::about("clients").then("conns", count(process.connections));
        if let Some(refused @ 0.000_1..) = process.turned_away {
            told = told.styled("turned away/s", rate(Some(refused)), self.look.bad());
        }
        told.then("new/s", rate(process.accepted))
            .then("tunnels", count(process.tunnels))
            .then("logins/s", rate(figures.sessions.begun))
            .then("ended/s", rate(figures.sessions.ended))
    }

    fn store(&self, figures: &Figures) -> Told {
        let store = &figures.store;
        let (state, style) = match store.up {
            true => ("up", self.look.good()),
            false => ("DOWN", self.look.bad()),
        };
        let [verdict, cache, from_store] = store.knew.map(percent);
        let mut told = Told::about("store").styled("", state.to_owned(), style);
        told = told.durations(store.duration);
        if let Some(errors @ 0.000_1..) = store.errors {
            told = told.styled("errors/s", rate(Some(errors)), self.look.bad());
        }
        told.then("by verdict", verdict).then("cache", cache).then("store", from_store)
    }
}

/// How often it changed, and how often a change was kept out.
fn configuration(figures: &Figures) -> String {
    let state = &figures.state;
    match state.failed {
        0 => format!("#{}", state.generation),
        failed => format!("#{} ({failed} kept out)", state.generation),
    }
}

fn process(figures: &Figures) -> Told {
    let process = &figures.process;
    let files = process.files.map_or_else(|| "-".to_owned(), count);
    let told = Told::about("process").then("cpu", percent(process.cpu));
    told.then("memory", bytes(process.memory)).then("files", files)
}
