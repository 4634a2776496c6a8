//! The lists: routes, upstreams, calls to WeChat, refusals.

use std::cmp::Ordering;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Row, Table, Widget};

use super::{Look, View};
use crate::cli::top::figures::{Figures, Route, Upstream};
use crate::cli::top::layout::Plan;
use crate::cli::top::number::{bytes, count, latency, rate};
use crate::cli::top::screen::Sort;

/// Columns of numbers are as wide as the longest number.
const NUMBER: Constraint = Constraint::Length(7);

fn number(text: String) -> Cell<'static> {
    Cell::from(Line::from(text).right_aligned())
}

fn styled(text: String, style: Style) -> Cell<'static> {
    Cell::from(Line::styled(text, style).right_aligned())
}

/// The titles; the first column is text, and so are as many more.
fn titles<'a>(names: impl IntoIterator<Item = &'a str>, texts: usize) -> Row<'static> {
    let cells = names.into_iter().enumerate().map(|(at, name)| {
        let line = Line::from(name.to_owned());
        Cell::from(if at < texts { line } else { line.right_aligned() })
    });
    Row::new(cells.collect::<Vec<_>>()).style(Look::title())
}

impl View<'_> {
    pub(super) fn routes(&self, figures: &Figures, plan: Plan, buffer: &mut Buffer) {
        let mut routes: Vec<_> = figures.routes.iter().collect();
        routes.sort_by(|a, b| self.order(a, b));
        let space = usize::from(plan.routes.height.saturating_sub(1));
        // Scrolling ends where the last route is seen.
        let first = self.screen.first.min(routes.len().saturating_sub(space));
        let rows = routes.into_iter().skip(first).map(|route| self.route(route, plan.bytes));
        let mut names = vec![
            (Sort::Path, "ROUTE"),
            (Sort::Requests, "req/s"),
            (Sort::Median, "p50"),
            (Sort::Tail, "p99"),
            (Sort::ClientErrors, "4xx/s"),
            (Sort::ServerErrors, "5xx/s"),
        ];
        let mut widths = vec![Constraint::Fill(1)];
        widths.extend([NUMBER; 5]);
        let mark = |(sort, name): &(Sort, &str)| match *sort == self.screen.sort {
            true => format!("{name}{}", if *sort == Sort::Path { "▴" } else { "▾" }),
            false => (*name).to_owned(),
        };
        let mut titled: Vec<_> = names.drain(..).map(|name| mark(&name)).collect();
        if plan.bytes {
            titled.extend(["in/s", "out/s"].map(str::to_owned));
            widths.extend([Constraint::Length(8); 2]);
        }
        let header = titles(titled.iter().map(String::as_str), 1);
        Table::new(rows, widths).header(header).render(plan.routes, buffer);
    }

    /// The largest first; what has no value comes last, and the busier of equals first.
    fn order(&self, a: &Route, b: &Route) -> Ordering {
        let median = |route: &Route| route.duration.map(|it| it.median.seconds);
        let tail = |route: &Route| route.duration.map(|it| it.tail.seconds);
        let by = |value: &dyn Fn(&Route) -> Option<f64>| {
            value(b).partial_cmp(&value(a)).unwrap_or(Ordering::Equal)
        };
        let by_sort = match self.screen.sort {
            Sort::Path => return a.path.cmp(&b.path),
            Sort::Requests => Ordering::Equal,
            Sort::Median => by(&median),
            Sort::Tail => by(&tail),
            Sort::ClientErrors => by(&|route| route.client_errors),
            Sort::ServerErrors => by(&|route| route.server_errors),
        };
        by_sort.then_with(|| by(&|route| route.requests)).then_with(|| a.path.cmp(&b.path))
    }

    fn route(&self, route: &Route, with_bytes: bool) -> Row<'static> {
        let path = match route.path.as_str() {
            "-" => Cell::from(Line::styled("(no route)", Look::faint())),
            path => Cell::from(path.to_owned()),
        };
        let mut cells = vec![
            path,
            number(rate(route.requests)),
            number(latency(route.duration.map(|it| it.median))),
            number(latency(route.duration.map(|it| it.tail))),
            self.errors(route.client_errors, self.look.doubtful()),
            self.errors(route.server_errors, self.look.bad()),
        ];
        if with_bytes {
            cells.extend([number(bytes(route.received)), number(bytes(route.sent))]);
        }
        Row::new(cells)
    }

    fn errors(&self, errors: Option<f64>, style: Style) -> Cell<'static> {
        let some = errors.is_some_and(|errors| errors > 0.0);
        styled(rate(errors), if some { style } else { Style::new() })
    }

    pub(super) fn upstreams(&self, figures: &Figures, area: Rect, buffer: &mut Buffer) {
        let rows = figures.upstreams.iter().map(|upstream| {
            Row::new(vec![
                Cell::from(upstream.name.clone()),
                self.servers(upstream),
                number(rate(upstream.responses)),
                number(latency(upstream.duration.map(|it| it.median))),
                number(latency(upstream.duration.map(|it| it.tail))),
                self.errors(upstream.server_errors, self.look.bad()),
                self.errors(upstream.failures, self.look.bad()),
                self.errors(upstream.retries, self.look.doubtful()),
            ])
        });
        let names = ["UPSTREAM", "servers", "resp/s", "p50", "p99", "5xx/s", "fails/s", "again/s"];
        let mut widths = vec![Constraint::Fill(1), Constraint::Fill(1)];
        widths.extend([NUMBER; 6]);
        Table::new(rows, widths).header(titles(names, 2)).render(area, buffer);
    }

    fn servers(&self, upstream: &Upstream) -> Cell<'static> {
        let state = |(state, number): &(String, f64)| {
            let style = if state == "in" { self.look.good() } else { self.look.bad() };
            [Span::styled(format!("{} {state}", count(*number)), style), Span::raw(" ")]
        };
        match upstream.servers.is_empty() {
            true => Cell::from(Line::styled("none", self.look.bad())),
            false => Cell::from(Line::from_iter(upstream.servers.iter().flat_map(state))),
        }
    }

    pub(super) fn calls(&self, figures: &Figures, area: Rect, buffer: &mut Buffer) {
        let rows = figures.calls.iter().map(|call| {
            let style = if call.errcode == "0" { self.look.good() } else { self.look.doubtful() };
            Row::new(vec![
                Cell::from(call.api.clone()),
                Cell::from(call.app.clone()),
                styled(call.errcode.clone(), style),
                number(rate(call.rate)),
                number(count(call.total)),
                number(latency(call.duration.map(|it| it.median))),
                number(latency(call.duration.map(|it| it.tail))),
            ])
        });
        let names = ["WECHAT CALL", "app", "errcode", "calls/s", "all", "p50", "p99"];
        let texts = [Constraint::Fill(2), Constraint::Fill(1), Constraint::Length(13)];
        let widths = texts.into_iter().chain([NUMBER; 4]);
        Table::new(rows, widths).header(titles(names, 2)).render(area, buffer);
    }

    pub(super) fn refusals(&self, figures: &Figures, plan: Plan, buffer: &mut Buffer) {
        if plan.two_columns {
            let rows = figures.refusals.iter().map(|refusal| {
                let cells = [number(rate(refusal.rate)), number(count(refusal.total))];
                Row::new([Cell::from(refusal.code.clone())].into_iter().chain(cells))
            });
            let widths = [Constraint::Fill(1), NUMBER, NUMBER];
            let header = titles(["REFUSED WITH", "req/s", "all"], 1);
            Table::new(rows, widths).header(header).render(plan.refusals, buffer);
            return;
        }
        let mut line = vec![Span::styled("refused  ", Look::faint())];
        for refusal in &figures.refusals {
            line.push(Span::raw(format!("{} ", refusal.code)));
            line.push(Span::styled(format!("{}/s  ", rate(refusal.rate)), Look::strong()));
        }
        Line::from(line).render(plan.refusals, buffer);
    }
}
