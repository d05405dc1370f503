"""Pages as people see them: Debian's Chromium, driven by Playwright. What needs real guests is a journey (`tests.journeys`)."""
