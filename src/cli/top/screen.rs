//! What a person at the keys decides: what is sorted by what, where the list begins, whether it stands still.

/// The column that routes are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// As in the configuration.
    Path,
    #[default]
    Requests,
    Median,
    Tail,
    ClientErrors,
    ServerErrors,
}

impl Sort {
    /// In the order of the columns.
    const ALL: [Self; 6] = [
        Self::Path,
        Self::Requests,
        Self::Median,
        Self::Tail,
        Self::ClientErrors,
        Self::ServerErrors,
    ];

    fn step(self, forth: bool) -> Self {
        let at = Self::ALL.iter().position(|sort| *sort == self).unwrap_or_default();
        let next = if forth { at + 1 } else { at + Self::ALL.len() - 1 };
        Self::ALL.get(next % Self::ALL.len()).copied().unwrap_or_default()
    }
}

/// What was decided so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Screen {
    pub(super) sort: Sort,
    /// The first route that is seen.
    pub(super) first: usize,
    pub(super) paused: bool,
    pub(super) help: bool,
    pub(super) over: bool,
}

/// A key that means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Down,
    Help,
    Left,
    Pause,
    Quit,
    Right,
    Up,
    /// Escape leaves the help first.
    Back,
}

impl Screen {
    /// Does what the key says, with so many routes.
    pub(super) fn press(&mut self, key: Key, routes: usize) {
        match key {
            Key::Down => self.first = (self.first + 1).min(routes.saturating_sub(1)),
            Key::Up => self.first = self.first.saturating_sub(1),
            Key::Left | Key::Right => {
                self.sort = self.sort.step(key == Key::Right);
                self.first = 0;
            }
            Key::Pause => self.paused = !self.paused,
            Key::Help => self.help = !self.help,
            Key::Back if self.help => self.help = false,
            Key::Back | Key::Quit => self.over = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_scroll_within_the_list_and_sort_goes_round() {
        let mut screen = Screen::default();
        screen.press(Key::Up, 2);
        assert_eq!(screen.first, 0);
        for _ in 0..5 {
            screen.press(Key::Down, 2);
        }
        assert_eq!(screen.first, 1);
        for sort in [Sort::Median, Sort::Tail, Sort::ClientErrors, Sort::ServerErrors, Sort::Path] {
            screen.press(Key::Right, 2);
            assert_eq!((screen.sort, screen.first), (sort, 0));
        }
        screen.press(Key::Left, 0);
        assert_eq!(screen.sort, Sort::ServerErrors);
        screen.press(Key::Down, 0);
        assert_eq!(screen.first, 0);
    }

    #[test]
    fn escape_leaves_the_help_first() {
        let mut screen = Screen::default();
        screen.press(Key::Help, 0);
        screen.press(Key::Back, 0);
        assert!(!screen.help && !screen.over);
        screen.press(Key::Back, 0);
        assert!(screen.over);
    }
}
