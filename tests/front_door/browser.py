# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Use the demo and the statistics page of the lab's cluster in a headless Chromium, and keep pictures of both.

Needs Debian's chromium and chromium-driver. The statistics come through SSH, as for an operator.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chromium.webdriver import ChromiumDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from ..error_budget.cluster import CHECKOUT, ClusterError, Lab

PICTURES = CHECKOUT / "tests/output/browser"
LOCAL_PORT = 18404
PATIENCE = 20
# Beside what every page logs nothing at all: a script, style or picture that is refused, or lacks.
WORST = ("SEVERE", "WARNING")


@contextmanager
def browser() -> Iterator[ChromiumDriver]:
    driver = shutil.which("chromedriver")
    if not driver or not shutil.which("chromium"):
        raise ClusterError(
            "There is no chromium with its chromedriver on the PATH: apt-get install chromium chromium-driver."
        )
    options = webdriver.ChromeOptions()
    # Chromium's own sandbox needs another user than root.
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1600"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    page = webdriver.Chrome(options, Service(driver))
    try:
        yield page
    finally:
        page.quit()


def expect(true: bool, otherwise: str) -> None:
    if not true:
        raise ClusterError(otherwise)


def expect_no_complaint(page: ChromiumDriver) -> None:
    said = [entry["message"] for entry in page.get_log("browser") if entry["level"] in WORST]
    expect(not said, f"The browser complains at {page.current_url}: {said}")


def use_demo(page: ChromiumDriver, door: str, web: set[str]) -> None:
    """Write an item by the form, and ask again until every web server has answered."""
    page.get(f"http://{door}/")
    expect(page.title.startswith("Web cluster: answered by "), f"The demo's title is {page.title!r}.")
    text = f"written in a browser at {time.time_ns()}"
    page.find_element(By.ID, "text").send_keys(text)
    page.find_element(By.CSS_SELECTOR, "form button").click()
    WebDriverWait(page, PATIENCE).until(lambda shown: shown.find_elements(By.CSS_SELECTOR, "li.new"))
    shown = page.find_element(By.CSS_SELECTOR, "li.new").text
    expect(text in shown, f"The new item is shown as {shown!r}.")
    page.save_screenshot(str(PICTURES / "demo.png"))
    expect_no_complaint(page)
    answered: set[str] = set()
    end = time.monotonic() + PATIENCE
    while answered != web and time.monotonic() < end:
        page.find_element(By.LINK_TEXT, "Ask again").click()
        answered.add(page.title.rpartition(" ")[2])
    expect(answered == web, f"Only {', '.join(sorted(answered))} answered the browser.")
    expect(text in page.find_element(By.CSS_SELECTOR, "ol.items").text, "The item is not in the list any more.")
    print(f"demo: an item was written and seen, {', '.join(sorted(answered))} answered")


def look_at_statistics(page: ChromiumDriver, lab: Lab, balancer: str, web: set[str]) -> None:
    """Each web server stands in the table, and is up."""
    tunnel = ["ssh", "-F", str(lab.inventory / ".lab/current/ssh_config"), "-o", "ExitOnForwardFailure=yes", "-N"]
    there = f"{lab.addresses()[balancer]}:8404"
    with subprocess.Popen([*tunnel, "-L", f"127.0.0.1:{LOCAL_PORT}:{there}", balancer]) as ssh:
        try:
            time.sleep(2)
            page.get(f"http://127.0.0.1:{LOCAL_PORT}/stats")
            for host in sorted(web):
                row = page.find_element(By.XPATH, f"//a[@name='web/{host}']/ancestor::tr")
                expect(" UP" in row.text, f"The statistics say of {host}: {row.text}")
            page.save_screenshot(str(PICTURES / "statistics.png"))
        finally:
            ssh.terminate()
    print(f"statistics: {', '.join(sorted(web))} are up")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inventory", type=Path, default=CHECKOUT / "inventory/lab")
    lab = Lab(parser.parse_args(arguments).inventory.resolve())
    groups = lab.groups()
    balancer, web = groups["haproxy"][0], set(groups["apache_php"])
    PICTURES.mkdir(parents=True, exist_ok=True)
    with browser() as page:
        use_demo(page, lab.addresses()[balancer], web)
        look_at_statistics(page, lab, balancer, web)
    print(f"Pictures are in {PICTURES.relative_to(CHECKOUT)}.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ClusterError as error:
        sys.exit(f"browser-check: {error}")
