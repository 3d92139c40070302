"""The real cell (Sec. 5.2): devices, safety, trials and their log, replay."""
