"""Programs that show the main job."""
