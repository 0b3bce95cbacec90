"""From a folder of videos or published images to a flow folder."""
