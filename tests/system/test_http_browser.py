# SPDX-License-Identifier: MIT
"""A browser: a page with fifty resources, through one connection to the target."""

import re

from lib.http import BYTES, seen
from lib.http_clients import browse, url
from lib.http_servers import Apache

IMAGES, STYLES, SCRIPTS = range(20), range(20, 35), range(35, 50)
SMALL_SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="1"/>'
# Each resource tells its own number, so that a foreign one is noticed. What is in the page is loaded before
# `onload`; chromium has six connections, and asks for the rest as they become free.
PAGE = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><link rel="icon" href="data:,">
<script>var ran = [];</script>
{head}
</head><body>
{images}
<p id="result">nothing yet</p>
<script>
onload = () => {{
    const style = getComputedStyle(document.documentElement);
    const images = [...document.images].map((image) => image.naturalWidth - 1);
    const styles = {styles}.filter((number) => style.getPropertyValue('--n' + number) == number);
    document.getElementById('result').textContent = 'images ' + images + ' styles ' + styles + ' scripts ' + ran;
}};
</script>
</body></html>"""


def files():
    """Name to content."""
    head = ['<link rel="stylesheet" href="/%d.css">' % number for number in STYLES]
    head += ['<script src="/%d.js"></script>' % number for number in SCRIPTS]
    images = ['<img src="/%d.svg">' % number for number in IMAGES]
    found = {"page.html": PAGE.format(head="\n".join(head), images="\n".join(images), styles=list(STYLES))}
    found.update({"%d.svg" % number: SMALL_SVG % (number + 1) for number in IMAGES})
    found.update({"%d.css" % number: ":root { --n%d: %d }" % (number, number) for number in STYLES})
    found.update({"%d.js" % number: "ran.push(%d)" % number for number in SCRIPTS})
    return {name: text.encode() for name, text in found.items()}


FILES = files()
TYPES = {"html": "text/html", "svg": "image/svg+xml", "css": "text/css", "js": "text/javascript"}


def respond(one):
    content = FILES.get(one.path[1:])
    if content is None:
        one.answer(status="404 Not Found")
    else:
        one.answer(content, fields=["Content-Type: " + TYPES[one.path.rsplit(".")[-1]]])


def numbers(of):
    return ",".join(str(number) for number in of)


def assert_loaded(started, profile):
    document = browse(url(started, "/page.html"), profile)
    result = re.search(r'<p id="result">(.*)</p>', document)
    expected = "images %s styles %s scripts %s" % (numbers(IMAGES), numbers(STYLES), numbers(SCRIPTS))
    assert result and result[1] == expected, document


def test_a_browser_loads_fifty_resources_from_a_target_with_one_slot(web, mux, tmp_path):
    device = web(respond)
    assert_loaded(mux(device), tmp_path / "profile")
    asked = [path[1:] for _, path in seen(device)]
    assert sorted(asked) == sorted(FILES) and len(asked) == 51
    assert len(device.connections) == 1


def test_a_browser_loads_fifty_resources_from_apache_with_one_worker(server, mux, tmp_path):
    apache = server(Apache())
    for name, content in FILES.items():
        (apache.site / name).write_bytes(content)
    assert_loaded(mux(apache.address, wire=BYTES), tmp_path / "profile")
