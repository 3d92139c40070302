"""Captures whose images, files and texts are like those people have, and the right answers."""

from __future__ import annotations

import json
import os

from capture_changes import (
    ANGLE_X,
    FRAME_0,
    NEAR,
    PLANS,
    SAME,
    TURNED,
    Case,
    animated,
    as_mode,
    bomb,
    both,
    content,
    each,
    exif,
    first,
    grey_16_bit,
    image,
    nothing_there,
    one_photograph_two_poses,
    outside,
    png_of_16_bits,
    removed,
    renamed,
    special,
    text,
    top,
    transparent_colour,
    twelve,
    twice,
    with_alpha,
    without,
)

PICTURES = [
    Case("EXIF 6, size as seen", image("a.jpg", exif(6, TURNED.ROTATE_90)), NEAR),
    Case("EXIF 8, PNG", image("a.png", exif(8, TURNED.ROTATE_270)), SAME),
    Case("EXIF 5, WebP", image("a.webp", exif(5, TURNED.TRANSPOSE)), NEAR),
    Case("EXIF 6, size as stored", image("a.png", exif(6, TURNED.ROTATE_90), w=48, h=64, cx=24, cy=32), PLANS),
    Case("EXIF 3", image("a.jpg", exif(3, TURNED.ROTATE_180)), "EXIF orientation 3, and w, h do not tell"),
    Case("EXIF 2", image("a.png", exif(2, TURNED.FLIP_LEFT_RIGHT)), "EXIF orientation 2"),
    Case(
        "EXIF 1", image("a.png", lambda p, path: exif(1, TURNED.ROTATE_180)(p.transpose(TURNED.ROTATE_180), path)), SAME
    ),
    Case(
        "EXIF 9", image("a.png", lambda p, path: exif(9, TURNED.ROTATE_180)(p.transpose(TURNED.ROTATE_180), path)), SAME
    ),
    Case(
        "EXIF 6 and an angle",
        both(
            image("a.png", exif(6, TURNED.ROTATE_90)),
            without(*"wh", "fl_x", "fl_y", "cx", "cy", then=top(camera_angle_x=ANGLE_X)),
        ),
        "EXIF orientation 6",
    ),
    Case("opaque alpha", image("a.png", with_alpha(255)), SAME),
    Case("transparent", image("a.png", nothing_there), r"frame 0 \('images/a.png'\): .*transparent everywhere"),
    Case("transparent at the border", image("a.png", with_alpha(0)), SAME),
    Case("transparent WebP", image("a.webp", with_alpha(0)), NEAR),
    Case("one transparent colour", image("a.png", transparent_colour), SAME),
    Case("grey", image("a.png", as_mode("L")), PLANS),
    Case("palette", image("a.png", as_mode("P")), PLANS),
    Case("black and white", image("a.png", as_mode("1")), PLANS),
    Case("CMYK", image("a.jpg", as_mode("CMYK")), "pixels are CMYK; allowed are 8 bits a channel, grey or RGB"),
    Case("16 bits, grey", image("a.png", grey_16_bit), "pixels are I;16; allowed are 8 bits"),
    Case("16 bits, RGB", image("a.png", png_of_16_bits), SAME),
    Case("JPEG", image("a.JPG", lambda p, path: p.save(path, quality=95)), NEAR),
    Case("WebP", image("a.webp", lambda p, path: p.save(path, lossless=True)), SAME),
    Case("PNG named JPEG", image("a.jpg", lambda p, path: p.save(path, format="PNG")), SAME),
    Case(
        "a phone's two pictures",
        image(
            "a.jpg",
            lambda p, path: p.save(
                path, format="MPO", save_all=True, append_images=[p.transpose(TURNED.ROTATE_180)], quality=95
            ),
        ),
        NEAR,
    ),
    Case("animated PNG", image("a.png", animated), "the image is animated"),
    Case("animated WebP", image("a.webp", animated), "the image is animated"),
    *(
        Case(
            f"format {ending}", image(f"a.{ending}", lambda p, path: p.save(path)), "no image in a format that is read"
        )
        for ending in ("gif", "bmp", "tiff", "ppm", "eps", "ico", "jp2", "tga")
    ),
    Case("PostScript named PNG", image("a.png", lambda p, path: p.save(path, format="EPS")), "no image in a format"),
    Case("text named PNG", content(b"not a picture"), FRAME_0 + "file_path: .*frame_00000.png is no image in a format"),
    Case("empty", content(b""), FRAME_0 + "file_path: .*frame_00000.png is no image in a format that is read"),
    Case("truncated PNG", content(lambda data: data[: len(data) // 2]), "frame_00000.png cannot be read"),
    Case("header alone", content(lambda data: data[:40]), "file_path: .*frame_00000.png (cannot be read|is no image)"),
    Case("broken PNG", content(lambda data: data[:60] + bytes(40) + data[100:]), "frame_00000.png cannot be read"),
    Case(
        "truncated JPEG",
        both(image("a.jpg", lambda p, path: p.save(path)), content(lambda data: data[:-40], "a.jpg")),
        "a.jpg cannot be read",
    ),
    Case("200 megapixels", content(bomb(14000)), "the image has over 100 megapixels"),
    Case("110 megapixels", content(bomb(10500)), "the image has 10500x10500 pixels, over 100 megapixels"),
]

FILES = [
    Case("spaces and Unicode", renamed("meine Bilder äöü 写真/Foto 0 (1).PNG"), SAME),
    Case(
        "backslashes",
        lambda folder, about: [f.update(file_path=f["file_path"].replace("/", "\\")) for f in about["frames"]],
        SAME,
    ),
    Case(
        "no ending",
        lambda folder, about: (
            [f.update(file_path=f"./{f['file_path'].removesuffix('.png')}") for f in about["frames"]]
        ),
        SAME,
    ),
    Case(
        "no ending, two files",
        both(
            image("a.webp", lambda p, path: p.save(path)),
            image("a.jpg", lambda p, path: p.save(path)),
            first(file_path="images/a"),
        ),
        "stands for a.jpg and a.webp",
    ),
    Case(
        "no such image",
        first(file_path="images/none.png"),
        r"\('images/none.png'\): file_path: no such image at .*none",
    ),
    Case("a detour", first(file_path="images/../images/./frame_00000.png"), SAME),
    Case(
        "absolute, inside",
        lambda folder, about: about["frames"][0].update(file_path=str(folder.resolve() / "images" / "frame_00000.png")),
        SAME,
    ),
    Case("outside", outside, "file_path: leads out of .*; images must lie in the folder"),
    Case("absolute, outside", first(file_path="/etc/hostname"), "file_path: leads out of"),
    Case("another drive", first(file_path="D:\\photos\\a.png"), "file_path: no such image"),
    Case("an address", first(file_path="https://example.org/a.png"), "file_path: no such image"),
    *(
        Case(f"file_path {json.dumps(bad)}", first(file_path=bad), r"frame 0 \(.*\): file_path: expected the path")
        for bad in (None, 3, True, ["a.png"], {}, "", "a\0b.png")
    ),
    Case("file_path a folder", first(file_path="images"), r"frame 0 \('images'\): file_path: .*images is a folder"),
    Case("file_path very long", first(file_path="x" * 5000), "file_path: .* cannot be read"),
    Case("file_path no Unicode", first(file_path="\ud800.png"), "file_path: "),
    Case("file_path of two lines", first(file_path="a\nb.png"), r"a\\nb.png"),
    Case(
        "file_path missing",
        removed("file_path"),
        "frame 0 .*file_path: expected",
    ),
    Case("a loop", special(lambda path: path.symlink_to(path)), r"special.png'\): file_path: .*special.png"),
    Case("a dead link", special(lambda path: path.symlink_to("gone.png")), "no such image"),
    Case("a pipe", special(os.mkfifo), "file_path: .*special.png is no regular file"),
    Case("masks and depths", each(mask_path="masks/none.png", depth_file_path="depth/none.png"), SAME),
    Case("twice", twice, PLANS),
    Case("one photograph, two poses", one_photograph_two_poses, "differs from that of frame 0, .* the same photograph"),
    Case("one view", lambda folder, about: about["frames"].pop(), PLANS),
    Case("twelve views", twelve, SAME),
]

TEXTS = [
    Case("indented", text(lambda t: t), SAME),
    Case("CRLF", text(lambda t: t.replace("\n", "\r\n")), SAME),
    Case("byte-order mark", text(lambda t: t.encode("utf-8-sig")), SAME),
    *(
        Case(code, text(lambda t, code=code: t.encode(code)), "the text is UTF-.*, expected UTF-8")
        for code in ("utf-16", "utf-16-le", "utf-32")
    ),
    Case(
        "Latin-1",
        lambda folder, about: json.dumps({**about, "by": "Jörg"}, ensure_ascii=False).encode("latin-1"),
        "the text is not UTF-8 \\(byte 0xf6 at",
    ),
    Case("empty text", text(lambda t: b""), "transforms.json: not valid JSON"),
    Case("cut", text(lambda t: t[:200]), "not valid JSON"),
    Case("trailing comma", text(lambda t: t.rstrip().removesuffix("}") + ",}"), r"not valid JSON \(.*line \d+ column"),
    Case("comment", text(lambda t: "// by me\n" + t), "not valid JSON"),
    Case("single quotes", text(lambda t: t.replace('"', "'")), "not valid JSON"),
    Case("deeply nested", text(lambda t: "[" * 200_000), "nested too deeply|not valid JSON"),
    Case("an endless integer", text(lambda t: t.replace("64", "6" * 5000)), "not valid JSON"),
    Case(
        "repeated key",
        text(lambda t: t.replace('"camera_model"', '"k1": 0.2, "k1": 0.0, "camera_model"')),
        "'k1' stands twice",
    ),
    Case("repeated key of a frame", text(lambda t: t.replace('"cx"', '"cx": 1.0, "cx"', 1)), "'cx' stands twice"),
    Case(
        "an infinite number",
        text(lambda t: t.replace('"cx": 32.0', '"cx": 1e999', 1)),
        "cx: expected a finite number, got inf",
    ),
    Case("very large", text(lambda t: t + " " * 17 * 2**20), "larger than 16 MiB"),
    *(
        Case(f"text {bad!r}", text(lambda t, bad=bad: bad), "expected an object with `frames`")
        for bad in ("{}", "[]", "null", "3", '"a"', '{"frames": []}', '{"frames": {}}', '{"frames": null}')
    ),
    Case(
        "frames a dict",
        lambda folder, about: about.update(frames=dict(enumerate(about["frames"]))),
        "frames is an object",
    ),
    Case("a frame null", lambda folder, about: about["frames"].append(None), "frame 2: expected an object, got null"),
    Case(
        "a frame a list", lambda folder, about: about["frames"].insert(0, []), "frame 0: expected an object, got a list"
    ),
    Case(
        "no matrix",
        removed("transform_matrix"),
        FRAME_0 + "transform_matrix: expected 4 rows",
    ),
    Case(
        "no transforms.json",
        lambda folder, about: (folder / "transforms.json").unlink(),
        "no such file; expected a folder",
    ),
    Case(
        "transforms.json a folder",
        lambda folder, about: (
            [(folder / "transforms.json").unlink(), (folder / "transforms.json" / "x").mkdir(parents=True)]
        ),
        "no such file",
    ),
]

CASES = [*PICTURES, *FILES, *TEXTS]
