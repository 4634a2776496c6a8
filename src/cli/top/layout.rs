//! Which part goes where, by the size of the terminal.

use ratatui::layout::Rect;

/// From here on there is room for two columns.
const TWO_COLUMNS: u16 = 140;
/// From here on a table of routes has the bytes too.
const BYTES: u16 = 96;
/// Lines of the summary at the top.
pub(super) const SUMMARY: u16 = 5;
/// What every list has at least, with its titles, where there is room for anything.
const LEAST: u16 = 4;

/// How many rows each list would like to have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub(super) routes: usize,
    pub(super) upstreams: usize,
    pub(super) calls: usize,
    pub(super) refusals: usize,
    /// Lines for what is wrong.
    pub(super) troubles: usize,
}

/// Where each part goes; one of no height is not shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) summary: Rect,
    pub(super) troubles: Rect,
    pub(super) routes: Rect,
    pub(super) upstreams: Rect,
    pub(super) calls: Rect,
    pub(super) refusals: Rect,
    pub(super) footer: Rect,
    /// Whether the table of routes has the bytes.
    pub(super) bytes: bool,
    /// Whether refusals are a table, and not one line.
    pub(super) two_columns: bool,
}

impl Plan {
    pub(super) fn of(area: Rect, wanted: Wanted) -> Self {
        let mut rest = area;
        let summary = top(&mut rest, SUMMARY);
        let troubles = top(&mut rest, rows(wanted.troubles).min(2));
        let footer = bottom(&mut rest, 1);
        let plan = Self { summary, troubles, footer, ..Self::default() };
        let plan = Self { two_columns: area.width >= TWO_COLUMNS, ..plan };
        if plan.two_columns { plan.beside(rest, wanted) } else { plan.below(rest, wanted) }
    }

    /// Routes at the left, everything else at the right.
    fn beside(self, area: Rect, wanted: Wanted) -> Self {
        let (left, mut right) = halves(area);
        let upstreams = top(&mut right, table(wanted.upstreams).min(area.height / 3));
        top(&mut right, 1);
        let calls = top(&mut right, table(wanted.calls).min(area.height / 3));
        top(&mut right, 1);
        let refusals = top(&mut right, table(wanted.refusals));
        Self { routes: left, upstreams, calls, refusals, bytes: left.width >= BYTES, ..self }
    }

    /// One under the other; routes have what the others leave, and half of it at least.
    fn below(self, area: Rect, wanted: Wanted) -> Self {
        let mut rest = area;
        let mut left =
            area.height.saturating_sub(table(wanted.routes).min(area.height / 2).max(LEAST));
        let mut share = |wanted: u16, most: u16| {
            let got = wanted.min(most).min(left);
            left -= got;
            got
        };
        // The line of refusals is short, and says the most.
        let refusals = share(rows(wanted.refusals).min(1), 1);
        let upstreams = share(table(wanted.upstreams), LEAST.max(area.height / 4));
        let calls = share(table(wanted.calls), LEAST.max(area.height / 3));
        let others = refusals + upstreams + calls;
        let routes = table(wanted.routes).min(area.height.saturating_sub(others));
        Self {
            routes: top(&mut rest, routes),
            upstreams: top(&mut rest, upstreams),
            calls: top(&mut rest, calls),
            refusals: top(&mut rest, refusals),
            bytes: area.width >= BYTES,
            ..self
        }
    }
}

fn rows(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// A list with its titles; none where there is nothing in it.
fn table(number: usize) -> u16 {
    if number == 0 { 0 } else { rows(number).saturating_add(1) }
}

fn top(rest: &mut Rect, height: u16) -> Rect {
    let height = height.min(rest.height);
    let taken = Rect { height, ..*rest };
    rest.y += height;
    rest.height -= height;
    taken
}

fn bottom(rest: &mut Rect, height: u16) -> Rect {
    let height = height.min(rest.height);
    rest.height -= height;
    Rect { y: rest.y + rest.height, height, ..*rest }
}

/// The left one a little wider, with two columns between them.
fn halves(area: Rect) -> (Rect, Rect) {
    let left = Rect { width: area.width / 2 + 4, ..area };
    let taken = left.width + 2;
    (left, Rect { x: area.x + taken, width: area.width - taken, ..area })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: Wanted = Wanted { routes: 40, upstreams: 9, calls: 30, refusals: 12, troubles: 1 };

    fn plan(width: u16, height: u16, wanted: Wanted) -> Plan {
        Plan::of(Rect::new(0, 0, width, height), wanted)
    }

    #[test]
    fn a_narrow_terminal_has_one_column_and_routes_have_half_of_it() {
        let plan = plan(80, 24, MANY);
        assert!(!plan.two_columns && !plan.bytes);
        assert!(plan.routes.height >= 8, "{plan:?}");
        assert!(plan.upstreams.height >= 4 && plan.refusals.height == 1, "{plan:?}");
        assert_eq!((plan.footer.y, plan.footer.height), (23, 1));
    }

    #[test]
    fn a_wide_terminal_has_two_columns() {
        let plan = plan(200, 50, MANY);
        assert!(plan.two_columns && plan.bytes);
        assert!(plan.routes.right() < plan.upstreams.x);
        assert_eq!(plan.routes.height, 50 - SUMMARY - 2);
    }

    #[test]
    fn a_list_with_nothing_in_it_takes_no_room() {
        let plan = plan(80, 24, Wanted { routes: 3, ..Wanted::default() });
        assert_eq!((plan.upstreams.height, plan.calls.height, plan.troubles.height), (0, 0, 0));
        assert_eq!(plan.routes.height, 4);
    }

    proptest::proptest! {
        #[test]
        fn no_part_leaves_the_terminal_or_covers_another(
            width in 0_u16..400, height in 0_u16..200,
            wanted: (u8, u8, u8, u8, u8),
        ) {
            let wanted = Wanted {
                routes: wanted.0.into(), upstreams: wanted.1.into(), calls: wanted.2.into(),
                refusals: wanted.3.into(), troubles: wanted.4.into(),
            };
            let plan = plan(width, height, wanted);
            let parts = [
                plan.summary, plan.troubles, plan.routes, plan.upstreams, plan.calls, plan.refusals,
                plan.footer,
            ];
            let area = Rect::new(0, 0, width, height);
            for (number, part) in parts.iter().enumerate() {
                assert_eq!(area.intersection(*part).area(), part.area(), "{plan:?}");
                for other in &parts[..number] {
                    assert_eq!(part.intersection(*other).area(), 0, "{plan:?}");
                }
            }
        }
    }
}
