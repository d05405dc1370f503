"""`labctl up` says how the first account is made, until there is one."""

from __future__ import annotations

from labctl.services import up
from tests.api.browser import Browser
from tests.api.conftest import House


def test_up_prints_a_link_until_somebody_of_it_has_used_one(tmp_path):
    house = House(tmp_path)
    said = []
    up._first_account(house.wiring, said.append)
    address = said[-1].strip()
    assert address.startswith("http://localhost:8440/invitation/")
    browser = Browser(house.app)
    path = address.removeprefix("http://localhost:8440")
    assert browser.form(path, name="Ida", email="ida@example.org", password="correct horse battery staple").status_code == 303
    said.clear()
    up._first_account(house.wiring, said.append)
    assert said == []
    house.wiring.database.dispose()
