"""IT uses the first link, keeps a password and a passkey, invites a trainer; the trainer comes with a passkey and nothing else."""

from __future__ import annotations

from tests.browser.chromium import Person, until
from tests.journeys.stage import Stage

PASSWORD = "correct horse battery"
IT, TRAINER = "Ivo IT", "Tara Trainer"


def walk(stage: Stage) -> None:
    step = stage.telling.step
    it = stage.person(IT)
    it.passkeys()
    with step("IT opens the one-time link of `labctl up`"):
        link = stage.first_link()
        it.page.goto(link)
        stage.look("invitation", it.page)
    with step("IT makes the first account, with a password"):
        it.page.get_by_label("Your name").fill(IT)
        it.page.get_by_label("Mail address").fill("ivo@example.org")
        it.page.get_by_label("New password").fill(PASSWORD)
        it.page.get_by_role("button", name="Go on with this password").click()
        it.page.wait_for_url(f"{stage.origin}/")
    with step("the link is used up, and says so"):
        somebody = stage.person("somebody")
        somebody.page.goto(link)
        assert somebody.page.get_by_role("alert").inner_text()
        stage.look("refused link", somebody.page)
    stage.person(IT)
    with step("IT signs out, and in again with the password"):
        sign_out(it)
        stage.look("sign-in", it.page)
        it.page.get_by_label("Mail address").fill("ivo@example.org")
        it.page.get_by_label("Password").fill(PASSWORD)
        it.page.get_by_role("button", name="Sign in", exact=True).click()
        it.page.wait_for_url(f"{stage.origin}/")
    with step("IT adds a passkey to the account"):
        it.page.goto("/account")
        it.page.get_by_role("button", name="Add a passkey").click()
        until(lambda: it.page.locator('form[action$="/label"]').count() == 1, "the passkey is listed")
        stage.look("account", it.page)
    with step("IT signs out, and in again with the passkey"):
        sign_out(it)
        it.page.get_by_role("button", name="Use a passkey").click()
        it.page.wait_for_url(f"{stage.origin}/")
    with step("IT invites a trainer"):
        it.page.goto("/it/people")
        stage.look("people", it.page)
        it.page.get_by_label("Mail address").fill("tara@example.org")
        it.page.get_by_role("button", name="Make a link").click()
        link = until(lambda: it.page.locator("pre code").inner_text(), "the link is shown")
        stage.look("link", it.page)
    trainer = stage.person(TRAINER)
    trainer.passkeys()
    with step("the trainer makes an account with a passkey alone"):
        trainer.page.goto(link)
        trainer.page.get_by_label("Your name").fill(TRAINER)
        trainer.page.get_by_role("button", name="Make a passkey instead").click()
        trainer.page.wait_for_url(f"{stage.origin}/")
        stage.look("my classes", trainer.page)


def sign_out(person: Person) -> None:
    """In this browser."""
    person.page.get_by_role("button", name="Sign out", exact=True).first.click()
    person.page.wait_for_url("**/sign-in")
