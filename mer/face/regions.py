"""The parts of the face, as indices of the 478 face-mesh points.

Left and right are the subject's: in an image that is not mirrored, the subject's right eye is on the left, at smaller
x. Left and right regions have the same order, so that `REGIONS["left_brow"][i]` mirrors `REGIONS["right_brow"][i]`. The
area of a region is the convex hull of its points, except that the oval is a polygon.
"""

# fmt: off
# The outline of the face, clockwise in the image from the top of the forehead.
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)
OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)

REGIONS: dict[str, tuple[int, ...]] = {
    "oval": OVAL,
    "forehead": (10, 109, 67, 103, 54, 68, 104, 69, 108, 151, 338, 297, 332, 284, 298, 333, 299, 337),
    "right_brow": (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    "left_brow": (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
    # Between the brows, where the corrugator acts (action unit 4).
    "glabella": (9, 107, 55, 193, 168, 8, 336, 285, 417),
    # The opening between the lids; the lids with the fold around them; the iris, its center first.
    "right_eye": (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    "left_eye": (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
    "right_lids": (130, 247, 30, 29, 27, 28, 56, 190, 243, 112, 26, 22, 23, 24, 110, 25),
    "left_lids": (359, 467, 260, 259, 257, 258, 286, 414, 463, 341, 256, 252, 253, 254, 339, 255),
    "right_iris": (468, 469, 470, 471, 472),
    "left_iris": (473, 476, 475, 474, 477),
    "nose": (
        6, 197, 195, 5, 4, 1, 19, 94, 2,
        122, 196, 3, 51, 45, 188, 174, 236, 134, 198, 220, 131, 115, 49, 48, 64, 98, 97,
        351, 419, 248, 281, 275, 412, 399, 456, 363, 420, 440, 360, 344, 279, 278, 294, 327, 326,
    ),
    "right_cheek": (116, 117, 118, 119, 120, 100, 142, 203, 206, 216, 207, 187, 147, 123, 50, 101, 36, 205),
    "left_cheek": (345, 346, 347, 348, 349, 329, 371, 423, 426, 436, 427, 411, 376, 352, 280, 330, 266, 425),
    "mouth": OUTER_LIPS + INNER_LIPS,
    "chin": (
        18, 200, 199, 175, 152,
        83, 201, 208, 171, 148, 182, 194, 32, 140, 176,
        313, 421, 428, 396, 377, 406, 418, 262, 369, 400,
    ),
}
# fmt: on

# The subject's right first. In mer, the interocular distance is between the outer corners of the eyes.
OUTER_EYE_CORNERS = (33, 263)
INNER_EYE_CORNERS = (133, 362)
MOUTH_CORNERS = (61, 291)
# Points that expressions hardly move: corners of the eyes, bridge of the nose and temples.
STABLE = (*OUTER_EYE_CORNERS, *INNER_EYE_CORNERS, 168, 6, 197, 195, 122, 351, 127, 356)
